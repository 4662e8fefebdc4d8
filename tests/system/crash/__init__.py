"""Kills the program at named points and at random, and compares the database with the SMTP replies."""

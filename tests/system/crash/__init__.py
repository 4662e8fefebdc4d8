"""Kills the program with SIGKILL at named points and at random, and then compares the database with the replies."""

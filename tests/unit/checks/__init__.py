"""Sender checks."""

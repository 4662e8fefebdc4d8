"""Use cases of tickets and messages."""

"""Replies to customers, from their text to the rows of the outbox."""

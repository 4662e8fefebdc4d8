"""Replies to customers: create, cancel, retry, and what the composer needs."""

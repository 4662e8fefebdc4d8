"""Composes the mail that users send. Pure."""

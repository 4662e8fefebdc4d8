"""Splits text into search terms, and searches tickets by these terms."""

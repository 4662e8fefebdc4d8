"""Parsing of messages: addresses, headers, structure, text, quotes. Pure functions, without I/O."""

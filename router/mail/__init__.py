"""Parses messages (addresses, headers, structure, text, quotes), and generates trace header fields. Does no I/O."""

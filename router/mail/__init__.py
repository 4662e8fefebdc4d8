"""Parsing of messages (addresses, headers, structure, text, quotes), and the trace fields of exports. No I/O."""

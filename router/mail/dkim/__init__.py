"""DKIM (RFC 6376, 8301, 8463, 8616): reads and verifies signatures. Does no I/O: keys arrive as DNS answers."""

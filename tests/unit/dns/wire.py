"""Builds DNS responses as bytes."""

import struct


def build_response(query: bytes, kind: int, *values: bytes, count: int = 0) -> bytes:
    """Builds a response to `query` with one record for each of `values`.

    Args:
        count: The number of answers in the header, if it differs from the number of `values`.
    """
    head = struct.pack("!2s5H", query[:2], 0x8180, 1, count or len(values), 0, 0) + query[12:24]
    return head + b"".join(b"\xc0\x0c" + struct.pack("!HHIH", kind, 1, 60, len(value)) + value for value in values)

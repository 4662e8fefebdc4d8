"""Asks the kernel whether a time service synchronises the clock of this host."""

from __future__ import annotations

import ctypes

_STRUCT_BYTES = 256  # at least the size of `struct timex` (208 bytes on 64-bit Linux)
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised


def is_synchronised() -> bool | None:
    """Returns None if the kernel does not say, as in some sandboxes. Changes nothing."""
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_STRUCT_BYTES))
    except (AttributeError, OSError):  # the C library has no such function
        return None
    return None if state < 0 else state != _TIME_ERROR

"""Ids: a prefix that says what it is, then 26 characters that sort by time.

The layout is that of ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32, in lower case. Rows that
are written together lie together in the index, and "newest first" is the order of the ids themselves. Within one
process ids never go backwards, also when the clock does.
"""

from __future__ import annotations

import secrets
import threading
import time
from typing import Literal

Prefix = Literal["ws", "user", "key", "dom", "int", "alias", "msg", "ticket", "evt", "dlv"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_RANDOM_BITS = 80
_lock = threading.Lock()
_last = 0  # the last number given out; a lock-protected high-water mark, not a configuration


def new(prefix: Prefix) -> str:
    """A new id, larger than every id this process made before."""
    global _last  # noqa: PLW0603 - monotonic over the whole process is the point
    number = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
    with _lock:
        if number <= _last:
            number = _last + 1 + secrets.randbits(32)
        _last = number
    return f"{prefix}_{_encode(number)}"


def oldest(prefix: Prefix, seconds: float) -> str:
    """An id smaller than all that were made within the last so many seconds, and larger than all made before."""
    return f"{prefix}_{_encode(max(0, time.time_ns() // 1_000_000 - int(seconds * 1000)) << _RANDOM_BITS)}"


def _encode(number: int) -> str:
    """26 characters, two at a time: half the divisions of the obvious loop."""
    parts = []
    for _ in range(13):
        parts.append(_PAIRS[number & 1023])
        number >>= 10
    return "".join(reversed(parts))


def looks_valid(text: str, prefix: Prefix) -> bool:
    """Whether `text` can be an id of this kind: what cannot never reaches the database."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == 26 and all(c in _ALPHABET for c in tail)

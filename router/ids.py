"""Ids: a prefix that says what it is, then 26 characters that sort by time.

The layout is that of ULID: 48 bits of milliseconds, 80 random bits, in Crockford's base 32, in lower case. Rows that
are written together lie together in the index, and "newest first" is the order of the ids themselves. Within one
process ids never go backwards, also when the clock does.
"""

from __future__ import annotations

import os
import threading
import time
from typing import Literal

Prefix = Literal["ws", "user", "key", "dom", "int", "alias", "msg", "ticket", "evt", "dlv"]

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTER_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
# The alphabet as Python's digits of base 32.
_TO_BASE32_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_RANDOM_BITS = 80
_RANDOM_BYTES = _RANDOM_BITS // 8
_INCREMENT_BYTES = 4


class _Generator:
    """What is given out in this process. The system's random octets are drawn many at once: a call for each id costs
    more than all the rest of it. A forked process forgets what was drawn before it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._random_bytes = b""
        self._used = 0

    def discard_random_bytes(self) -> None:
        """Begins anew in a forked process; the lock may have been held by a thread that is not in it."""
        self._lock = threading.Lock()
        self._random_bytes = b""
        self._used = 0

    def next(self) -> int:
        """A number larger than every one before."""
        number = (time.time_ns() // 1_000_000) << _RANDOM_BITS
        with self._lock:
            number |= self._take_random(_RANDOM_BYTES)
            if number <= self._last:
                number = self._last + 1 + self._take_random(_INCREMENT_BYTES)
            self._last = number
        return number

    def _take_random(self, nbytes: int) -> int:
        start = self._used
        if start + nbytes > len(self._random_bytes):
            self._random_bytes = os.urandom(4096)
            start = 0
        self._used = start + nbytes
        return int.from_bytes(self._random_bytes[start : self._used], "big")


_generator = _Generator()
os.register_at_fork(after_in_child=_generator.discard_random_bytes)


def new_id(prefix: Prefix) -> str:
    """A new id, larger than every id this process made before."""
    return f"{prefix}_{_encode(_generator.next())}"


def first_id_within(prefix: Prefix, seconds: float) -> str:
    """An id smaller than all that were made within the last so many seconds, and larger than all made before."""
    return first_id_at(prefix, max(0, time.time_ns() // 1_000_000 - int(seconds * 1000)))


def first_id_at(prefix: Prefix, timestamp_ms: int) -> str:
    """The smallest id there can be of a moment: milliseconds since the epoch."""
    return f"{prefix}_{_encode(timestamp_ms << _RANDOM_BITS)}"


def timestamp_ms(text: str) -> int:
    """When an id was made: milliseconds since the epoch."""
    return to_int(text) >> _RANDOM_BITS


def to_int(text: str) -> int:
    """An id as the number of 128 bits that it is; they sort alike."""
    return int(text.partition("_")[2].translate(_TO_BASE32_DIGITS), 32)


def _encode(number: int) -> str:
    """26 characters, taken from the number two at a time."""
    return "".join([_CHARACTER_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def is_well_formed(text: str, prefix: Prefix) -> bool:
    """Whether `text` can be an id of this kind: what cannot never reaches the database."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == 26 and all(c in _ALPHABET for c in tail)

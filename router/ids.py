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
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
# The alphabet as Python's digits of base 32.
_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_RANDOM_BITS = 80
_RANDOM_OCTETS = _RANDOM_BITS // 8
_STEP_OCTETS = 4


class _Maker:
    """What is given out in this process. The system's random octets are drawn many at once: a call for each id costs
    more than all the rest of it. A forked process forgets what was drawn before it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._octets = b""
        self._used = 0

    def forget(self) -> None:
        """Begins anew in a forked process; the lock may have been held by a thread that is not in it."""
        self._lock = threading.Lock()
        self._octets = b""
        self._used = 0

    def next(self) -> int:
        """A number larger than every one before."""
        number = (time.time_ns() // 1_000_000) << _RANDOM_BITS
        with self._lock:
            number |= self._random(_RANDOM_OCTETS)
            if number <= self._last:
                number = self._last + 1 + self._random(_STEP_OCTETS)
            self._last = number
        return number

    def _random(self, octets: int) -> int:
        begin = self._used
        if begin + octets > len(self._octets):
            self._octets = os.urandom(4096)
            begin = 0
        self._used = begin + octets
        return int.from_bytes(self._octets[begin : self._used], "big")


_maker = _Maker()
os.register_at_fork(after_in_child=_maker.forget)


def new(prefix: Prefix) -> str:
    """A new id, larger than every id this process made before."""
    return f"{prefix}_{_encode(_maker.next())}"


def oldest(prefix: Prefix, seconds: float) -> str:
    """An id smaller than all that were made within the last so many seconds, and larger than all made before."""
    return first(prefix, max(0, time.time_ns() // 1_000_000 - int(seconds * 1000)))


def first(prefix: Prefix, moment: int) -> str:
    """The smallest id there can be of a moment: milliseconds since the epoch."""
    return f"{prefix}_{_encode(moment << _RANDOM_BITS)}"


def moment(text: str) -> int:
    """When an id was made: milliseconds since the epoch."""
    return number(text) >> _RANDOM_BITS


def number(text: str) -> int:
    """An id as the number of 128 bits that it is; they sort alike."""
    return int(text.partition("_")[2].translate(_DIGITS), 32)


def _encode(number: int) -> str:
    """26 characters, taken from the number two at a time."""
    return "".join([_PAIRS[number >> shift & 1023] for shift in range(120, -1, -10)])


def looks_valid(text: str, prefix: Prefix) -> bool:
    """Whether `text` can be an id of this kind: what cannot never reaches the database."""
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == 26 and all(c in _ALPHABET for c in tail)

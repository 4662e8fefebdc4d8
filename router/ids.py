"""Ids: a prefix for the type of object, `_`, and a ULID in lower case (26 characters).

Ids with the same prefix sort by time, so rows written together are adjacent in indexes. Within a process, these ids
always increase, even if the clock is set back.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from router.enumerations import IdPrefix

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTER_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_SHIFTS = tuple(range(120, -1, -10))  # of the pairs in an id, 10 bits each
# Translates Crockford's alphabet to the digits of `int(text, 32)`.
_TO_BASE32_DIGITS = str.maketrans(_ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_RANDOM_BITS = 80
_RANDOM_BYTES = _RANDOM_BITS // 8
_INCREMENT_BYTES = 4


def _system_time() -> int:
    return time.time_ns()


class _Generator:
    """Generates increasing numbers. One system call for random bytes serves many numbers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0
        self._random_bytes = b""
        self._used = 0
        self._now: Callable[[], int] = _system_time

    def set_clock(self, now: Callable[[], int]) -> None:
        """Sets the clock, in nanoseconds since the epoch. Later ids do not have to follow the ones of the old clock."""
        with self._lock:
            self._now = now
            self._last = 0

    def now_ms(self) -> int:
        return self._now() // 1_000_000

    def discard_random_bytes(self) -> None:
        """Resets the generator in a forked process, so that parent and child generate different numbers.

        Also replaces the lock, which another thread of the parent may have held.
        """
        self._lock = threading.Lock()
        self._random_bytes = b""
        self._used = 0

    def next(self) -> int:
        timestamp = self.now_ms()
        with self._lock:
            if timestamp > self._last >> _RANDOM_BITS:
                self._last = timestamp << _RANDOM_BITS | self._take_random(_RANDOM_BYTES)
            else:
                self._last += 1 + self._take_random(_INCREMENT_BYTES)
            return self._last

    def _take_random(self, nbytes: int) -> int:
        start = self._used
        if start + nbytes > len(self._random_bytes):
            self._random_bytes = os.urandom(4096)
            start = 0
        self._used = start + nbytes
        return int.from_bytes(self._random_bytes[start : self._used], "big")


_generator = _Generator()
os.register_at_fork(after_in_child=_generator.discard_random_bytes)


def new_id(prefix: IdPrefix) -> str:
    """Returns a new id, larger than all earlier ids of this process with the same prefix."""
    return f"{prefix}_{_encode(_generator.next())}"


@contextmanager
def dated_by(now: Callable[[], int]) -> Iterator[None]:
    """Within the context, ids contain the times of another clock (in microseconds), as in the demo."""
    _generator.set_clock(lambda: now() * 1000)
    try:
        yield
    finally:
        _generator.set_clock(_system_time)


def first_id_within(prefix: IdPrefix, seconds: float) -> str:
    """Returns the smallest possible id of an object created in the last `seconds`."""
    return first_id_at(prefix, max(0, _generator.now_ms() - int(seconds * 1000)))


def first_id_at(prefix: IdPrefix, timestamp_ms: int) -> str:
    """Returns the smallest possible id of an object created at `timestamp_ms` (since the epoch)."""
    return f"{prefix}_{_encode(timestamp_ms << _RANDOM_BITS)}"


def timestamp_ms(text: str) -> int:
    """Returns the creation time that an id contains, in milliseconds since the epoch."""
    return to_int(text) >> _RANDOM_BITS


def to_int(text: str) -> int:
    """Returns the 128-bit number in an id. Numbers of ids with the same prefix sort like the ids."""
    return int(text.partition("_")[2].translate(_TO_BASE32_DIGITS), 32)


def _encode(number: int) -> str:
    return "".join([_CHARACTER_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def is_well_formed(text: str, prefix: IdPrefix) -> bool:
    head, _, tail = text.partition("_")
    return head == prefix and len(tail) == 26 and all(c in _ALPHABET for c in tail)

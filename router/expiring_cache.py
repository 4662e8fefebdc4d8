"""A bounded cache of values that expire."""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from router.clock import Clock

K = TypeVar("K")
V = TypeVar("V")


class ExpiringCache(Generic[K, V]):
    """Stores up to `max_entries` values. If there are more, drops those that were stored first."""

    def __init__(self, clock: Clock, max_entries: int) -> None:
        self._clock = clock
        self._max_entries = max_entries
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """Returns None if there is no value or it has expired."""
        entry = self._entries.get(key)
        return None if entry is None or self._clock.monotonic() >= entry[0] else entry[1]

    def store(self, key: K, value: V, seconds: float) -> None:
        self._entries[key] = self._clock.monotonic() + seconds, value
        self._entries.move_to_end(key)
        while len(self._entries) > self._max_entries:
            self._entries.popitem(last=False)

    def discard(self, key: K) -> None:
        self._entries.pop(key, None)

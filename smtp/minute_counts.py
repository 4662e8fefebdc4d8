"""Counts per minute and network, in bounded memory. Pure.

A full table discards the smallest counts, so a client cannot easily evict its own large count.
"""

from __future__ import annotations

from collections.abc import Sequence

_MINUTE = 60.0  # seconds


class MinuteCounts:
    """Counts by network. The minute of a network starts with its first count.

    Args:
        capacity: The maximum number of networks.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._minutes: dict[str, tuple[float, int]] = {}  # start of the minute (monotonic seconds), count

    def add(self, networks: Sequence[str], limits: Sequence[int], now: float) -> bool:
        """Adds one to the count of each network. Returns False, without counting, if a limit is reached."""
        minutes = self._minutes
        counted = {}
        for network, limit in zip(networks, limits, strict=False):
            minute = minutes.get(network)
            if minute is None or now - minute[0] >= _MINUTE:
                minute = (now, 0)
            if minute[1] >= limit:
                return False
            counted[network] = (minute[0], minute[1] + 1)
        minutes.update(counted)
        if len(minutes) > self._capacity:
            self._shrink(now)
        return True

    def evict_expired(self, now: float) -> None:
        self._minutes = {network: minute for network, minute in self._minutes.items() if now - minute[0] < _MINUTE}

    def _shrink(self, now: float) -> None:
        """Reduces the table to at most half of its capacity, so that sorting is rare."""
        self.evict_expired(now)
        kept = self._capacity // 2
        if len(self._minutes) > kept:
            largest = sorted(self._minutes.items(), key=lambda entry: entry[1][1], reverse=True)
            self._minutes = dict(largest[:kept])

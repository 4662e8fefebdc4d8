"""Limits the rate of bytes that are read only to be discarded, over all connections of a server. Pure."""

from __future__ import annotations

from smtp.bounds import Bounds


class DiscardThrottle:
    """Limits discarded bytes to `discard_rate`, as far as `max_discard_pause` allows.

    Idle time permits no burst afterwards.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._busy_until = 0.0

    def next_pause(self, nbytes: int, now: float) -> float:
        """Counts `nbytes`. Returns the seconds for which the connection that discarded them must not read."""
        bounds = self._bounds
        until = max(self._busy_until, now) + nbytes / bounds.discard_rate
        self._busy_until = min(until, now + bounds.max_discard_pause)
        return max(self._busy_until - now, bounds.min_discard_pause)

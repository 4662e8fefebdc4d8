"""Limits failures by key, such as failed sign-ins by client address.

Each process keeps its counts in memory. Failures of one key do not count for other keys.
"""

from __future__ import annotations

from collections import OrderedDict

from router.clock import Clock
from router.errors import Refused
from router.model import Micros
from router.ratelimit import sliding_window
from router.ratelimit.sliding_window import RateLimit

_MAX_KEYS = 20_000


class RateLimited(Refused):
    """The rate limit is reached; `retry_after` is in whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("rate_limited", message)
        self.retry_after = retry_after


def rate_limit_error(limit: RateLimit, previous: int, current: int, now: Micros) -> RateLimited:
    seconds = sliding_window.seconds_until_allowed(limit, previous, current, now)
    return RateLimited(f"Too many failed attempts. Try again in {seconds} s.", seconds)


class FailureThrottle:
    """Counts the failures of each key. `check` before each attempt enforces the limit."""

    def __init__(self, clock: Clock, limit: RateLimit) -> None:
        self._clock = clock
        self._limit = limit
        # By key: window start, count of the previous window, count of the current window.
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()

    def check(self, key: str) -> None:
        """Raises `RateLimited` if the key has too many failures."""
        now = self._clock.now()
        _, previous, current = self._current_counts(key)
        if current >= sliding_window.window_limit(self._limit, previous, now):
            raise rate_limit_error(self._limit, previous, current, now)

    def record_failure(self, key: str) -> None:
        start, previous, current = self._current_counts(key)
        self._counts[key] = start, previous, current + 1
        self._counts.move_to_end(key)
        while len(self._counts) > _MAX_KEYS:
            self._counts.popitem(last=False)

    def remove_failure(self, key: str) -> None:
        """Removes a failure that was recorded before an attempt, because the attempt succeeded."""
        start, previous, current = self._current_counts(key)
        if current:
            self._counts[key] = start, previous, current - 1

    def _current_counts(self, key: str) -> tuple[int, int, int]:
        start = sliding_window.window_start(self._limit, self._clock.now())
        counts = self._counts.get(key)
        if counts is None:
            return start, 0, 0
        if counts[0] == start:
            return counts
        return start, counts[2] if start - counts[0] == self._limit.seconds else 0, 0

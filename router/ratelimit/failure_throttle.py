"""Failed attempts to get in, counted by what they came from, so that nobody can go on guessing.

In memory and for this process alone: a restart forgives, and several processes allow each their share. Only failures
count, and what is throttled is the address, or the address together with the account: nobody can lock somebody else
out. Bounded: the longest unseen are forgotten first.
"""

from __future__ import annotations

from collections import OrderedDict

from router.clock import Clock
from router.errors import Refused
from router.model import Micros
from router.ratelimit import sliding_window
from router.ratelimit.sliding_window import Limit

_MOST_REMEMBERED = 20_000


class Throttled(Refused):
    """Too many of something; retry_after: whole seconds."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__("rate_limited", message)
        self.retry_after = retry_after


def too_many(limit: Limit, previous: int, current: int, now: Micros) -> Throttled:
    """The refusal while a window is full, with the time after which one more attempt fits."""
    wait = sliding_window.retry_after(limit, previous, current, now)
    return Throttled(f"Too many failed attempts. Try again in {wait} s.", wait)


class Attempts:
    """Failures under each name: `check` before an attempt, `failed` after one that failed."""

    def __init__(self, clock: Clock, limit: Limit) -> None:
        self._clock = clock
        self._limit = limit
        self._counts: OrderedDict[str, tuple[int, int, int]] = OrderedDict()  # name -> (start, previous, current)

    def check(self, name: str) -> None:
        """Raises `Throttled` when there were too many failures under this name."""
        now = self._clock.now()
        _, previous, current = self._of(name)
        if current >= sliding_window.bound(self._limit, previous, now):
            raise too_many(self._limit, previous, current, now)

    def failed(self, name: str) -> None:
        """One more failure."""
        start, previous, current = self._of(name)
        self._counts[name] = start, previous, current + 1
        self._counts.move_to_end(name)
        while len(self._counts) > _MOST_REMEMBERED:
            self._counts.popitem(last=False)

    def forgive(self, name: str) -> None:
        """One failure less: an attempt that was counted before it was made has succeeded."""
        start, previous, current = self._of(name)
        if current:
            self._counts[name] = start, previous, current - 1

    def _of(self, name: str) -> tuple[int, int, int]:
        start = sliding_window.start_of(self._limit, self._clock.now())
        known = self._counts.get(name)
        if known is None:
            return start, 0, 0
        if known[0] == start:
            return known
        return start, known[2] if start - known[0] == self._limit.seconds else 0, 0

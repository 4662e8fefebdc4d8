"""A clock that advances only on request: the `router.clock.Clock` of tests.

`advance` changes wall-clock time and monotonic time. `set` changes only wall-clock time, as an administrator or NTP
does.
"""

from datetime import UTC, datetime, timedelta

_START = datetime(2030, 1, 1, 12, 0, 0, tzinfo=UTC)


class FakeClock:
    """A clock that tests set and advance."""

    def __init__(self, start: datetime = _START) -> None:
        self._now = _micros(start)
        self._monotonic = 1000.0  # not 0, which code could mistake for "never"

    def now(self) -> int:
        """Returns the wall-clock time in microseconds since the epoch."""
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, seconds: float = 0, *, minutes: float = 0, hours: float = 0, days: float = 0) -> int:
        """Advances wall-clock and monotonic time. Returns the new wall-clock time in microseconds."""
        passed = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days)
        assert passed >= timedelta(0), "time does not run backwards: use set()"
        self._now += passed // timedelta(microseconds=1)
        self._monotonic += passed.total_seconds()
        return self._now

    def set(self, wall: datetime) -> None:
        self._now = _micros(wall)


def _micros(moment: datetime) -> int:
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)

"""Time as an argument: whoever needs it takes a `Clock`, so that tests can own it."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Protocol

from router.model import Micros

SECOND: Micros = 1_000_000


class Clock(Protocol):
    """Wall time for what is kept (microseconds since the epoch), monotonic seconds for what is measured."""

    def now(self) -> Micros: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> Micros:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


def to_micros(duration: timedelta) -> Micros:
    """A duration in whole microseconds."""
    return duration // timedelta(microseconds=1)

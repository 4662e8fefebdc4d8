"""The clock interface. Tests pass their own clock to control time."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Protocol

from router.model import Micros

SECOND: Micros = 1_000_000


class Clock(Protocol):
    """Provides wall time for stored values and monotonic seconds for durations."""

    def now(self) -> Micros: ...

    def monotonic(self) -> float: ...


class SystemClock:
    def now(self) -> Micros:
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        return time.monotonic()


def to_micros(duration: timedelta) -> Micros:
    return duration // timedelta(microseconds=1)

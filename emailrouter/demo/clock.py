"""The clock of the demo: it starts some days ago, so that the tickets of the demo have different ages.

While the demo is filled, it is set forward from mail to mail, and finally to the time of the system. It never runs
backwards.
"""

from __future__ import annotations

from router.clock import SystemClock
from router.model import Micros


class DemoClock(SystemClock):
    def __init__(self, behind: Micros = 0) -> None:
        """Starts `behind` microseconds before the time of the system."""
        self._behind = behind

    def now(self) -> Micros:
        return super().now() - self._behind

    def set_behind(self, behind: Micros) -> None:
        """Sets the clock forward to `behind` microseconds before the time of the system."""
        self._behind = min(self._behind, behind)

"""Runs what comes after a commit or a request and must not undo it: log lines, counts, wake-ups (rule 14).

Promises: `run`, and every call of a meter or a wake made by `SideTasks`, returns whatever the work does; what fails is
counted and logged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import structlog

from router.meter import UNMETERED, Meter, Parsed
from router.ports import Wake

log = structlog.get_logger()


class SideTasks:
    """One for each process; `failures` is how many have failed."""

    def __init__(self) -> None:
        self.failures = 0

    def run(self, task: str, work: Callable[[], object]) -> None:
        """Does the work. task: what it is, for the log."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a side task never stops or undoes the main one
            self.failures += 1
            self._log_failure(task, error)

    def meter(self, inner: Meter) -> Meter:
        """The meter, with every call a side task; the one that counts nothing needs none of it."""
        return inner if inner is UNMETERED or isinstance(inner, _MeterAside) else _MeterAside(inner, self)

    def wake(self, inner: Wake) -> Wake:
        """The wake, with every call a side task."""
        return inner if isinstance(inner, _WakeAside) else _WakeAside(inner, self)

    def _log_failure(self, task: str, error: Exception) -> None:
        try:
            log.error("side_task.failed", task=task, exc_info=error)
        except Exception:  # noqa: BLE001 - what failed may be the log itself
            self.failures += 1


class _WakeAside:
    """See `router.ports.Wake`."""

    def __init__(self, inner: Wake, tasks: SideTasks) -> None:
        self._inner = inner
        self._tasks = tasks

    def wake(self, integration_ids: Iterable[str]) -> None:
        self._tasks.run("wake", lambda: self._inner.wake(integration_ids))


class _MeterAside:
    """See `router.meter.Meter`."""

    def __init__(self, inner: Meter, tasks: SideTasks) -> None:
        self._inner = inner
        self._tasks = tasks

    def connected(self) -> None:
        self._tasks.run("meter", self._inner.connected)

    def refused(self, reason: str) -> None:
        self._tasks.run("meter", lambda: self._inner.refused(reason))

    def accepted(self, octets: int, *, repeat: bool) -> None:
        self._tasks.run("meter", lambda: self._inner.accepted(octets, repeat=repeat))

    def routed(self, aliases: int, *, ticketed: int, repeated: int, owed: int) -> None:
        self._tasks.run("meter", lambda: self._inner.routed(aliases, ticketed=ticketed, repeated=repeated, owed=owed))

    def committed(self, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._inner.committed(seconds))

    def parsed(self, result: Parsed) -> None:
        self._tasks.run("meter", lambda: self._inner.parsed(result))

    def attempted(self, outcome: str, deliveries: int, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._inner.attempted(outcome, deliveries, seconds))

    def delivered(self, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._inner.delivered(seconds))

    def requested(self, method: str, route: str, status: str, seconds: float | None) -> None:
        self._tasks.run("meter", lambda: self._inner.requested(method, route, status, seconds))

"""Runs side tasks, such as logging, metrics and wake-ups, whose failure must not affect the main task.

Failures are counted and logged, never raised.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable

import structlog

from router.meter import NULL_METER, Meter, ParseResult, SpamCheckOutcome
from router.ports import Waker

log = structlog.get_logger()


class SideTasks:
    """Runs the side tasks of a process; `failures` counts the tasks and log calls that failed."""

    def __init__(self) -> None:
        self.failures = 0

    def run(self, task: str, work: Callable[[], object]) -> None:
        """Runs `work`. `task` is its name in the log."""
        try:
            work()
        except Exception as error:  # noqa: BLE001 - a side task never stops or undoes the main task
            self.failures += 1
            self._log_failure(task, error)

    async def run_async(self, task: str, work: Callable[[], Awaitable[object]]) -> None:
        """Runs `work`, like `run`."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - a side task never stops or undoes the main task
            self.failures += 1
            self._log_failure(task, error)

    def wrap_meter(self, meter: Meter) -> Meter:
        """Wraps a meter so that each call is a side task."""
        return meter if meter is NULL_METER or isinstance(meter, _SideTaskMeter) else _SideTaskMeter(meter, self)

    def wrap_waker(self, waker: Waker) -> Waker:
        """Wraps a waker so that each call is a side task."""
        return waker if isinstance(waker, _SideTaskWaker) else _SideTaskWaker(waker, self)

    def _log_failure(self, task: str, error: Exception) -> None:
        try:
            log.error("side_task.failed", task=task, exc_info=error)
        except Exception:  # noqa: BLE001 - the log itself may fail
            self.failures += 1


class _SideTaskWaker:
    def __init__(self, waker: Waker, tasks: SideTasks) -> None:
        self._waker = waker
        self._tasks = tasks

    def wake(self, integration_ids: Iterable[str]) -> None:
        self._tasks.run("wake", lambda: self._waker.wake(integration_ids))

    def wake_checks(self) -> None:
        self._tasks.run("wake", self._waker.wake_checks)

    def wake_submissions(self) -> None:
        self._tasks.run("wake", self._waker.wake_submissions)

    def wake_bounces(self) -> None:
        self._tasks.run("wake", self._waker.wake_bounces)


class _SideTaskMeter:
    def __init__(self, meter: Meter, tasks: SideTasks) -> None:
        self._meter = meter
        self._tasks = tasks

    def record_connection(self) -> None:
        self._tasks.run("meter", self._meter.record_connection)

    def record_refusal(self, reason: str) -> None:
        self._tasks.run("meter", lambda: self._meter.record_refusal(reason))

    def record_accept(self, size: int, *, is_duplicate: bool) -> None:
        self._tasks.run("meter", lambda: self._meter.record_accept(size, is_duplicate=is_duplicate))

    def record_routing(self, aliases: int, *, ticketed: int, duplicates: int, queued: int) -> None:
        self._tasks.run(
            "meter",
            lambda: self._meter.record_routing(aliases, ticketed=ticketed, duplicates=duplicates, queued=queued),
        )

    def record_commit(self, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._meter.record_commit(seconds))

    def record_parse(self, result: ParseResult) -> None:
        self._tasks.run("meter", lambda: self._meter.record_parse(result))

    def record_dns_question(self, seconds: float, fault: str) -> None:
        self._tasks.run("meter", lambda: self._meter.record_dns_question(seconds, fault))

    def record_sender_check(self, method: str, result: str) -> None:
        self._tasks.run("meter", lambda: self._meter.record_sender_check(method, result))

    def record_spam_check(self, outcome: SpamCheckOutcome, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._meter.record_spam_check(outcome, seconds))

    def record_attempt(self, outcome: str, deliveries: int, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._meter.record_attempt(outcome, deliveries, seconds))

    def record_delivery(self, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._meter.record_delivery(seconds))

    def record_submission(self, outcome: str, seconds: float) -> None:
        self._tasks.run("meter", lambda: self._meter.record_submission(outcome, seconds))

    def record_request(self, method: str, route: str, status: str, seconds: float | None) -> None:
        self._tasks.run("meter", lambda: self._meter.record_request(method, route, status, seconds))

"""Maintenance tasks of the deliver role: retention, rechecks of domains, domain alerts, interrupted renames of tags.

A failed task is logged and runs again later. A process claims a shared task in the database without a lease, so after a
crash the task runs in the next interval. Two overlapping runs do no harm.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from router.clock import SECOND, Clock
from router.errors import DatabaseFileReplaced, Unavailable
from router.model import Micros
from router.store.database import Database

# The maximum wait before the next check for due tasks.
TICK_SECONDS = 15.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class MaintenanceTask:
    """A task that runs about once per `interval`.

    A `shared` task runs in only one process in each interval. Other tasks run in all processes, which divide the work.
    """

    name: str
    interval: Micros
    run: Callable[[], Awaitable[object]]
    shared: bool = True


class Maintenance:
    """Runs the tasks one after the other. Use one instance per deliver process."""

    def __init__(self, database: Database, clock: Clock, tasks: Sequence[MaintenanceTask]) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tuple(tasks)
        self._due_at = dict.fromkeys((task.name for task in tasks), clock.monotonic())

    async def run(self) -> None:
        """Runs until cancelled."""
        while True:
            # Jitter separates processes that were started together.
            await asyncio.sleep(TICK_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - jitter, not a secret
            await self.run_due_tasks()

    async def run_due_tasks(self) -> None:
        for task in self._tasks:
            if self._clock.monotonic() < self._due_at[task.name]:
                continue
            try:
                if not task.shared or await self._claim(task):
                    await task.run()
            except Unavailable as error:
                if not isinstance(error, DatabaseFileReplaced):  # `DatabaseFile.check` has logged it
                    log.warning("maintenance.database_unavailable", task=task.name, reason=str(error))
                continue  # the task stays due
            except Exception:
                log.exception("maintenance.task_failed", task=task.name)
            # Each process tries to claim a shared task four times per interval: the last one to run it may have ended.
            interval_seconds = task.interval / SECOND
            self._due_at[task.name] = self._clock.monotonic() + (
                interval_seconds / 4 if task.shared else interval_seconds
            )

    async def _claim(self, task: MaintenanceTask) -> bool:
        now = self._clock.now()
        name = f"maintenance.{task.name}"
        return bool(
            await self._database.execute("maintenance_claim", name=name, now=now, after=now - task.interval + 1)
        )

"""The chores of the deliver role, done beside the deliveries: retention, rechecks of domains, notices about them.

Promise: a chore that fails is logged and tried again at its next time, and never ends the process; a chore marked
`shared` is done by one process of all at a time (a claim in the database, without a lease: whoever is killed in the
middle leaves it to the next turn, and two that overlap do no harm). Who makes it: `emailrouter.assembly`; who runs it,
and cuts it at the end: `emailrouter.lifecycle`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog

from router.clock import SECOND, Clock
from router.errors import StorageReplaced, Unavailable
from router.model import Micros
from router.store.database import Database

# Between two transactions of a chore: on SQLite other processes on the file only find gaps that last.
PAUSE_SECONDS = 0.02
# How often it is looked whether a chore is due, give or take.
TICK_SECONDS = 15.0

log = structlog.get_logger()


async def pause() -> None:
    """What chores await between two transactions."""
    await asyncio.sleep(PAUSE_SECONDS)


@dataclass(frozen=True, slots=True)
class MaintenanceTask:
    """every: from one beginning to the next. shared: by one process of all; else the work itself divides it."""

    name: str
    interval: Micros
    run: Callable[[], Awaitable[object]]
    shared: bool = True


class Maintenance:
    """One for each deliver process. Chores run one after the other: none of them is in a hurry."""

    def __init__(self, database: Database, clock: Clock, tasks: Sequence[MaintenanceTask]) -> None:
        self._database = database
        self._clock = clock
        self._tasks = tuple(tasks)
        self._due_at = dict.fromkeys((task.name for task in tasks), clock.monotonic())

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            # Processes that were started together do not stay together.
            await asyncio.sleep(TICK_SECONDS * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, guards nothing
            await self.run_due_tasks()

    async def run_due_tasks(self) -> None:
        """Does what is due now."""
        for task in self._tasks:
            if self._clock.monotonic() < self._due_at[task.name]:
                continue
            try:
                if not task.shared or await self._claim(task):
                    await task.run()
            except Unavailable as error:
                if not isinstance(error, StorageReplaced):  # the check has logged it
                    log.warning("maintenance.database_unavailable", task=task.name, reason=str(error))
                continue  # at the next tick again
            except Exception:
                log.exception("maintenance.task_failed", task=task.name)
            # A shared chore is asked for more often than it is done: its last doer may have left.
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

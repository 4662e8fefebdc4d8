"""Counts how often the entries of the sender lists matched.

Refusals at RCPT are counted in memory, so that no reply waits for the database, and written every few seconds and at
the end of the process. A process that is killed loses the hits of the last seconds.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import structlog

from router.clock import Clock
from router.errors import Unavailable
from router.model import Micros
from router.store.database import Database, Statement, StatementGenerator, run_statements

log = structlog.get_logger()

# Runs work whose failure must not affect the process, such as `SideTasks.run_async`.
RunSideTask = Callable[[str, Callable[[], Awaitable[object]]], Awaitable[None]]
SenderListName = Literal["allowed", "blocked"]

WRITE_INTERVAL = 5.0  # seconds between writes; the most that a killed process loses
# Entries with hits that are not written yet, for example while the database is unavailable: the maximum of one list.
MAX_COUNTED = 10_000
# Entries written in one transaction, which locks their rows.
BATCH = 500


@dataclass(frozen=True, slots=True, order=True)
class SenderHit:
    """The entry that decided about a recipient or a message."""

    list_name: SenderListName
    workspace_id: str
    sender: str


def add_hits(hits: Mapping[SenderHit, int], at: Micros) -> StatementGenerator[None]:
    """Adds to the hits of entries, in the transaction of the caller. Entries that were deleted are ignored."""
    for name in ("allowed", "blocked"):
        rows = [
            {"workspace_id": hit.workspace_id, "sender": hit.sender, "hits": count, "at": at}
            for hit, count in sorted(hits.items())
            if hit.list_name == name
        ]
        if rows:
            yield Statement(f"{name}_sender_add_hits", rows)


class SenderHits:
    """Counts hits in memory and writes them later. Use one instance per process."""

    def __init__(self, database: Database, clock: Clock, run_side_task: RunSideTask) -> None:
        self._database = database
        self._clock = clock
        self._run_side_task = run_side_task
        self._counts: Counter[SenderHit] = Counter()
        self._writer: asyncio.Task[None] | None = None

    def add(self, hit: SenderHit) -> None:
        """Counts a hit. Never waits and never raises; drops the hit if too many entries are counted."""
        if hit in self._counts or len(self._counts) < MAX_COUNTED:
            self._counts[hit] += 1
        if self._writer is None or self._writer.done():
            self._writer = asyncio.get_running_loop().create_task(self._write_later())

    async def close(self) -> None:
        """Writes what is counted."""
        if self._writer is not None:
            self._writer.cancel()
            await asyncio.wait([self._writer])
        await self._run_side_task("sender hits", self._try_to_write)

    async def _write_later(self) -> None:
        while self._counts:
            await asyncio.sleep(WRITE_INTERVAL)
            await self._run_side_task("sender hits", self._try_to_write)

    async def _try_to_write(self) -> None:
        try:
            await self._write()
        except Unavailable as error:
            log.warning("sender_hits.not_saved", reason=str(error))

    async def _write(self) -> None:
        """Writes the counts. What fails to be written is counted on."""
        counted = sorted(self._counts)
        for start in range(0, len(counted), BATCH):
            hits = {hit: self._counts.pop(hit) for hit in counted[start : start + BATCH]}
            try:
                async with self._database.transaction() as transaction:
                    await run_statements(transaction, add_hits(hits, self._clock.now()))
            except BaseException:
                self._counts.update(hits)
                raise

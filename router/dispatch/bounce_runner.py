"""Reads the bounces of our own mail, and stores what follows from them.

A bounce is never answered. It waits in its queue until it is read: a fault here or a process that is killed can delay
what follows, but never lose it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import structlog

from router.contents.pool import Parser, UnparsableMessage
from router.contents.store import ContentStore
from router.dispatch.bounce_queue import BounceQueue, QueuedBounce
from router.errors import DatabaseFileReplaced, Unavailable
from router.mail.delivery_reports import UNREADABLE, BounceReport

# Bounces that are claimed together, and read one after the other. Reading all of them is shorter than their lease.
BATCH = 3
# After this many readings that failed or ended with their process, the report of a bounce is not read any more.
MAX_CLAIMS = 3
# The shortest and the longest delay between two attempts while the database is unavailable.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.1, 2.0

T = TypeVar("T")
log = structlog.get_logger()


class BounceRunner:
    """Reads queued bounces until `stop`. Use one instance per deliver process.

    Args:
        wake: Receives the integrations with deliveries that became due.
    """

    def __init__(
        self,
        queue: BounceQueue,
        contents: ContentStore,
        parser: Parser,
        wake: Callable[[Iterable[str]], None],
        *,
        poll_interval: float,
    ) -> None:
        self._queue = queue
        self._contents = contents
        self._parser = parser
        self._wake_integrations = wake
        self._poll_interval = poll_interval
        self._changed = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Tells that a bounce was queued. Cheap; may be called often."""
        self._changed.set()

    def stop(self) -> None:
        """Ends the reading. `run` then gives the claimed bounces back and returns."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        await self._ignore_unavailable(self._queue.release_dead_owners)
        while not self._stopping:
            self._changed.clear()
            if not await self.read_due():
                await self._wait()

    async def read_due(self) -> int:
        """Reads the bounces that are queued now, up to `BATCH`. Returns their number."""
        try:
            claimed = await self._queue.claim(BATCH)
        except Unavailable as error:
            self._log_unavailable(error)
            return 0
        for position, bounce in enumerate(claimed):
            if self._stopping:
                left = [each.message.id for each in claimed[position:]]
                await self._ignore_unavailable(lambda left=left: self._queue.give_back(left))  # type: ignore[misc]
                break
            await self._read(bounce)
        return len(claimed)

    async def _read(self, bounce: QueuedBounce) -> None:
        message_id = bounce.message.id
        try:
            report = await self._retry(lambda: self._read_report(bounce))
            applied = await self._retry(lambda: self._queue.apply(bounce, report))
            log.info("bounce.read", message_id=message_id, meaning=applied.meaning, states=list(applied.states))
            self._wake_integrations(applied.due_integrations)
        except UnparsableMessage as error:  # perhaps because the host is overloaded: read again when its lease expires
            log.warning("bounce.unreadable", message_id=message_id, reason=str(error))
        except Unavailable as error:  # only if the process stops
            self._log_unavailable(error)
        except Exception:  # the bounce is read again when its lease expires
            log.exception("bounce.internal_error", message_id=message_id)

    async def _read_report(self, bounce: QueuedBounce) -> BounceReport:
        if bounce.claims > MAX_CLAIMS:
            log.warning("bounce.reading_abandoned", message_id=bounce.message.id, claims=bounce.claims)
            return UNREADABLE
        content = await self._contents.read_raw(bounce.message.id)
        if content is None:  # erased
            return UNREADABLE
        return await self._parser.read_bounce(content)

    async def _retry(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeats the work while the database is unavailable, unless the process stops."""
        delay = RETRY_MIN_SECONDS
        while True:
            try:
                return await work()
            except Unavailable as error:
                if self._stopping:
                    raise
                self._log_unavailable(error)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MAX_SECONDS)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_interval):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _ignore_unavailable(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs work that only shortens a wait."""
        try:
            await work()
        except Unavailable as error:
            self._log_unavailable(error)

    def _log_unavailable(self, error: Unavailable) -> None:
        if not isinstance(error, DatabaseFileReplaced):  # which the store logs
            log.warning("bounce.database_unavailable", reason=str(error))

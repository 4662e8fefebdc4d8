"""Erases expired data: raw messages, resolved tickets, spam, drafts, uploads, counters and other short-lived rows.

The text of a message stays when its raw bytes are erased; a message without a stored text is parsed first. A raw
message without its first chunk counts as erased, so an interruption leaves no partial message. Each transaction is
short. Concurrent runs do no harm, but slow each other down.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from router import ids
from router.clock import SECOND, Clock
from router.errors import Unavailable
from router.model import Micros
from router.store.database import Database, QueryExecutor, Row
from router.store.erasure import erase_ticket

# Maximum number of chunks erased in one transaction: 16 MiB.
MAX_CHUNKS = 64
MAX_TICKETS = 20
MAX_SMALL_ROWS = 500
# Maximum number of uploads erased in one transaction, each of up to [outgoing] max_message_bytes.
MAX_UPLOADS = 5
# Allows for clock differences between hosts.
CLOCK_TOLERANCE: Micros = 3600 * SECOND
RATE_WINDOW_RETENTION_SECONDS = 2 * 86400
IDEMPOTENT_REQUEST_RETENTION: Micros = 24 * 3600 * SECOND
UPLOAD_RETENTION: Micros = 24 * 3600 * SECOND
# For the limits of acknowledgements, of which the longest is a day.
ACKNOWLEDGEMENT_RETENTION: Micros = 2 * 86400 * SECOND
DRAFT_RETENTION: Micros = 30 * 86400 * SECOND

log = structlog.get_logger()
PauseCallback = Callable[[], Awaitable[None]]


class ContentsReader(Protocol):
    """Parses a message and stores its text, unless the text is already stored."""

    async def get(self, message_id: str) -> object: ...


@dataclass(frozen=True, slots=True)
class RetentionPeriods:
    """The settings of `[retention]`, where None means forever, and `[smtp] duplicate_window`."""

    raw_messages: Micros | None
    resolved_tickets: Micros | None
    spam_tickets: Micros | None
    duplicate_window: Micros


@dataclass(slots=True)
class ErasedCounts:
    """The numbers of objects that one run erased."""

    raw_messages: int = 0
    tickets: int = 0
    messages: int = 0
    small_rows: int = 0


class Retention:
    """Erases expired rows in short transactions.

    `pause` is awaited between transactions, so that other writers get the lock. If `pause` raises, the run ends.
    """

    def __init__(
        self,
        database: Database,
        contents: ContentsReader,
        clock: Clock,
        periods: RetentionPeriods,
        *,
        pause: PauseCallback,
    ) -> None:
        self._database = database
        self._contents = contents
        self._clock = clock
        self._periods = periods
        self._pause = pause

    async def sweep(self) -> ErasedCounts:
        """Erases expired data in many transactions. If one raises `Unavailable`, those before it stay committed."""
        now = self._clock.now()
        erased = ErasedCounts()
        try:
            if self._periods.resolved_tickets is not None:
                await self._erase_tickets(now - self._periods.resolved_tickets, erased)
            if self._periods.spam_tickets is not None:
                await self._erase_spam(now - self._periods.spam_tickets, erased)
            if self._periods.raw_messages is not None:
                await self._erase_raw(now - self._periods.raw_messages, erased)
            for query, horizon in (
                ("retention_fingerprints", now - self._periods.duplicate_window - CLOCK_TOLERANCE),
                ("retention_rate_windows", now // SECOND - RATE_WINDOW_RETENTION_SECONDS),
                ("retention_sessions", now),
                ("retention_idempotent_requests", now - IDEMPOTENT_REQUEST_RETENTION),
                ("retention_drafts", now - DRAFT_RETENTION),
                ("retention_acknowledgements", now - ACKNOWLEDGEMENT_RETENTION),
            ):
                await self._erase_small_rows(query, horizon, erased)
            await self._erase_small_rows("retention_uploads", now - UPLOAD_RETENTION, erased, limit=MAX_UPLOADS)
        finally:
            if erased != ErasedCounts():
                log.info(
                    "retention.erased",
                    raw_messages=erased.raw_messages,
                    tickets=erased.tickets,
                    messages=erased.messages,
                    other_rows=erased.small_rows,
                )
        return erased

    async def _erase_raw(self, horizon: Micros, erased: ErasedCounts) -> None:
        after = ""
        while True:
            rows = await self._database.fetch_all("retention_raw_chunks", after=after, limit=MAX_CHUNKS)
            old = [row for row in rows if row["received_at"] < horizon]
            unreadable = await self._store_contents(old)
            async with self._database.transaction() as transaction:
                erased_rows = [row for row in old if row["message_id"] not in unreadable]
                await _erase_chunks(transaction, erased_rows)
            erased.raw_messages += sum(row["n"] == 0 for row in erased_rows)
            if len(old) < len(rows) or len(rows) < MAX_CHUNKS:
                return  # ids sort by time, so all further messages are newer
            # A message that cannot be parsed keeps its bytes; the next query starts after it.
            after = max(unreadable, default=after)
            await self._pause()

    async def _store_contents(self, rows: Sequence[Row]) -> set[str]:
        """Parses messages without a stored text; returns the ids of those that could not be parsed."""
        failed = set()
        for message_id in dict.fromkeys(row["message_id"] for row in rows if not row["readable"]):
            try:
                await self._contents.get(message_id)
            except Unavailable:
                raise
            except Exception:
                log.exception("retention.parse_failed", message_id=message_id)
                failed.add(message_id)
        return failed

    async def _erase_tickets(self, horizon: Micros, erased: ErasedCounts) -> None:
        after_at, after_id = -1, ""
        while True:
            rows = await self._database.fetch_all(
                "retention_tickets", horizon=horizon, after_at=after_at, after_id=after_id, limit=MAX_TICKETS
            )
            for row in rows:
                await self._erase_ticket(row["id"], horizon, erased)
                await self._pause()
            if len(rows) < MAX_TICKETS:
                return
            after_at, after_id = rows[-1]["resolved_at"], rows[-1]["id"]

    async def _erase_spam(self, horizon: Micros, erased: ErasedCounts) -> None:
        """Erases the tickets that are held as spam since before the horizon. A ticket is older than its mark."""
        until = ids.first_id_at("ticket", max(0, horizon) // 1000 + 1)
        for workspace in await self._database.fetch_all("retention_workspaces"):
            after = ""
            while True:
                rows = await self._database.fetch_all(
                    "retention_spam_tickets",
                    workspace_id=workspace["id"],
                    horizon=horizon,
                    after=after,
                    until=until,
                    limit=MAX_TICKETS,
                )
                for row in rows:
                    await self._erase_ticket(row["id"], horizon, erased, lock="retention_lock_spam_ticket")
                    await self._pause()
                if len(rows) < MAX_TICKETS:
                    break
                after = rows[-1]["id"]

    async def _erase_ticket(
        self, ticket_id: str, horizon: Micros, erased: ErasedCounts, *, lock: str = "retention_lock_ticket"
    ) -> None:
        """Erases a ticket in one transaction, if the query `lock` still finds it.

        If its messages have many raw chunks, first erases the chunks in separate transactions.
        """
        while True:
            async with self._database.transaction() as transaction:
                if not await _lock_erasable_ticket(transaction, lock, ticket_id, horizon):
                    return
                chunks = await transaction.fetch_all(
                    "retention_raw_chunks_by_ticket", ticket_id=ticket_id, limit=MAX_CHUNKS + 1
                )
                if len(chunks) <= MAX_CHUNKS:
                    erased.messages += await erase_ticket(transaction, ticket_id)
                    erased.tickets += 1
                    return
            if await self._store_contents([{**row, "readable": False} for row in chunks]):
                return  # keeps raw messages that cannot be parsed: a reply may still reopen the ticket
            async with self._database.transaction() as transaction:
                if await _lock_erasable_ticket(transaction, lock, ticket_id, horizon):
                    await _erase_chunks(transaction, chunks[:MAX_CHUNKS])
            await self._pause()

    async def _erase_small_rows(
        self, query: str, horizon: int, erased: ErasedCounts, *, limit: int = MAX_SMALL_ROWS
    ) -> None:
        while True:
            erased_rows = await self._database.execute(query, horizon=horizon, limit=limit)
            erased.small_rows += erased_rows
            if erased_rows < limit:
                return
            await self._pause()


async def _lock_erasable_ticket(transaction: QueryExecutor, lock: str, ticket_id: str, horizon: Micros) -> bool:
    """Locks the ticket and its deliveries; returns whether the ticket may be erased."""
    if await transaction.fetch_one(lock, ticket_id=ticket_id, horizon=horizon) is None:
        return False
    locked = await transaction.fetch_all("retention_lock_deliveries", ticket_id=ticket_id)
    row = await transaction.fetch_one("retention_count_deliveries", ticket_id=ticket_id)
    has_pending = any(d["state"] == "pending" and d["event"] != "updated" for d in locked)
    return row is not None and row["deliveries"] == len(locked) and not has_pending


async def _erase_chunks(transaction: QueryExecutor, rows: Sequence[Row]) -> None:
    last = {row["message_id"]: row["n"] for row in rows}  # the rows of a message are ordered by `n`
    for message_id, n in last.items():
        await transaction.execute("retention_erase_chunks", message_id=message_id, last=n)

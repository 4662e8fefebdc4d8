"""Limits API requests of all processes together.

`DatabaseRateLimiter` (PostgreSQL) counts each request in a transaction that does not wait for the disk.
`ProcessRateLimiter` (SQLite) counts in memory and exchanges its counts with the database every second.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from router.clock import Clock
from router.errors import Unavailable
from router.model import Micros
from router.ratelimit import sliding_window
from router.ratelimit.sliding_window import RateLimit, RateLimitStatus
from router.store.database import Database, QueryExecutor

FLUSH_SECONDS = 1.0  # a crash loses the counts since the last write
PRUNE_SECONDS = 3600.0
# Twice the longest window, which is one day.
RETENTION_SECONDS = 2 * 86400
# For this long after the end of a window, requests in progress may still increase its count.
_SETTLING_TIME: Micros = 2_000_000

log = structlog.get_logger()


class RateLimiter(Protocol):
    """Limits requests by scope."""

    async def count(self, limits: Mapping[str, RateLimit]) -> RateLimitStatus | None:
        """Counts one request in every scope, or in none if a limit is reached.

        Callers must list the scopes in the same order, to prevent deadlocks.

        Returns:
            The status of the most restrictive limit; None if no limit is set.

        Raises:
            Unavailable: The database is unavailable.
        """
        ...

    async def close(self) -> None:
        """Writes pending counts."""
        ...


class _LimitReached(Exception):  # noqa: N818 - not an error: it rolls back the transaction
    pass


class DatabaseRateLimiter:
    """Counts requests in the database."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._previous: dict[tuple[str, int], int] = {}
        self._pruned_at = float("-inf")

    async def count(self, limits: Mapping[str, RateLimit]) -> RateLimitStatus | None:
        active = [(scope, limit) for scope, limit in limits.items() if limit.requests]
        if not active:
            return None
        now = self._clock.now()
        statuses: list[RateLimitStatus] = []
        previous = {scope: await self._previous_count(scope, limit, now) for scope, limit in active}
        try:
            async with self._database.transaction() as transaction:
                for scope, limit in active:
                    statuses.append(await self._count_in_database(transaction, scope, limit, previous[scope], now))
                    if not statuses[-1].allowed:
                        raise _LimitReached
        except _LimitReached:
            return statuses[-1]
        await self._prune()
        return sliding_window.most_restrictive(statuses)

    async def close(self) -> None:
        """Does nothing: no counts are pending."""

    async def _count_in_database(
        self, transaction: QueryExecutor, scope: str, limit: RateLimit, previous: int, now: Micros
    ) -> RateLimitStatus:
        start = sliding_window.window_start(limit, now)
        row = await transaction.fetch_one(
            "rate_limit_add",
            scope=scope,
            window_start=start,
            amount=1,
            max_used=sliding_window.window_limit(limit, previous, now),
        )
        if row is not None:
            return sliding_window.limit_status(limit, previous, row["used"], now, allowed=True)
        counts = await read_window_counts(transaction, scope, limit, now)
        return sliding_window.limit_status(limit, previous, counts[1], now, allowed=False)

    async def _previous_count(self, scope: str, limit: RateLimit, now: Micros) -> int:
        """Returns the count of the previous window, cached once it can no longer grow."""
        key = scope, sliding_window.window_start(limit, now)
        cached = self._previous.get(key)
        if cached is not None:
            return cached
        previous, _ = await read_window_counts(self._database, scope, limit, now)
        if now % limit.length > _SETTLING_TIME:
            if len(self._previous) > 10_000:
                self._previous.clear()
            self._previous[key] = previous
        return previous

    async def _prune(self) -> None:
        if self._clock.monotonic() - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = self._clock.monotonic()
        await self._database.execute(
            "rate_limit_delete_expired", horizon=self._clock.now() // 1_000_000 - RETENTION_SECONDS
        )


@dataclass(slots=True)
class _WindowCounts:
    """The counts of one scope.

    Attributes:
        start: The start of the current window in Unix seconds.
        previous: Requests of the previous window.
        written: Requests of the current window that are already added to the database.
        new: Requests of the current window that are not written yet.
        unwritten: Requests of earlier windows that are not written yet, by window start.
    """

    start: int
    previous: int
    written: int
    new: int = 0
    unwritten: dict[int, int] = field(default_factory=dict)

    @property
    def current(self) -> int:
        return self.written + self.new


class ProcessRateLimiter:
    """Counts requests in memory. The first request starts the periodic writes."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._counts: dict[str, _WindowCounts] = {}
        self._load_locks: dict[str, asyncio.Lock] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._pruned_at = float("-inf")

    async def count(self, limits: Mapping[str, RateLimit]) -> RateLimitStatus | None:
        """See `RateLimiter.count`. No `await` separates the check from the count, so both are one atomic step."""
        active = [(scope, limit) for scope, limit in limits.items() if limit.requests]
        if not active:
            return None
        for scope, limit in active:
            await self._load(scope, limit)
        now = self._clock.now()
        active_counts = [(self._current_counts(scope, limit, now), limit) for scope, limit in active]
        for counts, limit in active_counts:
            if counts.current >= sliding_window.window_limit(limit, counts.previous, now):
                return sliding_window.limit_status(limit, counts.previous, counts.current, now, allowed=False)
        for counts, _ in active_counts:
            counts.new += 1
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_periodically())
        return sliding_window.most_restrictive(
            [
                sliding_window.limit_status(limit, counts.previous, counts.current, now, allowed=True)
                for counts, limit in active_counts
            ]
        )

    async def close(self) -> None:
        self._closing.set()
        if self._writer is not None:
            await self._writer
        await self.flush()

    async def flush(self) -> None:
        """Adds pending counts to the database; after a failure they stay pending."""
        pending = self._take_pending()
        if not pending:
            return
        try:
            async with self._database.transaction() as transaction:
                for scope, start, amount in pending:
                    row = await transaction.fetch_one(
                        "rate_limit_add", scope=scope, window_start=start, amount=amount, max_used=2**62
                    )
                    counts = self._counts.get(scope)
                    if row is not None and counts is not None and counts.start == start:
                        counts.written = row["used"]
                    elif row is not None and counts is not None:
                        counts.previous = max(counts.previous, row["used"])
        except Unavailable as error:
            self._restore_pending(pending)
            log.debug("rate_limits.database_unavailable", reason=str(error))

    def _take_pending(self) -> list[tuple[str, int, int]]:
        pending = []
        for scope, counts in self._counts.items():
            pending += [(scope, start, amount) for start, amount in counts.unwritten.items()]
            counts.unwritten = {}
            if counts.new:
                pending.append((scope, counts.start, counts.new))
                # Moved to `written`: `current` stays the same, and the next flush does not add them again.
                counts.written, counts.new = counts.written + counts.new, 0
        return pending

    def _restore_pending(self, pending: Sequence[tuple[str, int, int]]) -> None:
        for scope, start, amount in pending:
            counts = self._counts.get(scope)
            if counts is not None and counts.start == start:
                counts.written, counts.new = counts.written - amount, counts.new + amount
            elif counts is not None:
                counts.unwritten[start] = counts.unwritten.get(start, 0) + amount

    async def _load(self, scope: str, limit: RateLimit) -> None:
        if scope in self._counts:
            return
        async with self._load_locks.setdefault(scope, asyncio.Lock()):
            if scope not in self._counts:
                now = self._clock.now()
                previous, current = await read_window_counts(self._database, scope, limit, now)
                self._counts[scope] = _WindowCounts(sliding_window.window_start(limit, now), previous, current)
        self._load_locks.pop(scope, None)

    def _current_counts(self, scope: str, limit: RateLimit, now: Micros) -> _WindowCounts:
        """Returns the counts of the scope, advanced to the current window."""
        counts = self._counts[scope]
        start = sliding_window.window_start(limit, now)
        if start > counts.start:
            if counts.new:
                counts.unwritten[counts.start] = counts.unwritten.get(counts.start, 0) + counts.new
            counts.previous = counts.current if start == counts.start + limit.seconds else 0
            counts.start, counts.written, counts.new = start, 0, 0
        return counts

    async def _write_periodically(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_SECONDS):
                    await self._closing.wait()
            await self.flush()
            await self._prune()

    async def _prune(self) -> None:
        if self._clock.monotonic() - self._pruned_at < PRUNE_SECONDS:
            return
        self._pruned_at = self._clock.monotonic()
        horizon = self._clock.now() // 1_000_000 - RETENTION_SECONDS
        idle_scopes = [
            scope for scope, counts in self._counts.items() if counts.start < horizon and not counts.unwritten
        ]
        for scope in idle_scopes:
            del self._counts[scope]
        with contextlib.suppress(Unavailable):
            await self._database.execute("rate_limit_delete_expired", horizon=horizon)


async def read_window_counts(transaction: QueryExecutor, scope: str, limit: RateLimit, now: Micros) -> tuple[int, int]:
    """Reads the counts of the previous and the current window."""
    start = sliding_window.window_start(limit, now)
    rows = await transaction.fetch_all(
        "rate_limit_used", scope=scope, window_start=start, previous_start=start - limit.seconds
    )
    by_start = {row["window_start"]: row["used"] for row in rows}
    return by_start.get(start - limit.seconds, 0), by_start.get(start, 0)

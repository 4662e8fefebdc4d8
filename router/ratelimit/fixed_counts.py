"""The two limits of the API, counted so that they are right over several processes and cost the mail path nothing.

`SharedCounts` (PostgreSQL) counts each request in the database, in a transaction that does not wait for the disk.
`ProcessCounts` (SQLite, one host) counts here and adds what it counted to the database each second, taking over what
other processes of the host have added. A refused request is counted under none of its limits. The arithmetic is
`rate_window`'s alone.
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
from router.ratelimit.sliding_window import Limit, Verdict
from router.store.database import Database, QueryExecutor

FLUSH_EVERY = 1.0  # seconds that a crash may forget
FORGET_EVERY = 3600.0  # seconds between two removals of old windows
# Windows older than this are looked at by no limit: twice the longest one.
KEPT_SECONDS = 2 * 86400
# How long the previous window's count may still grow by requests that were under way at its end.
_SETTLED: Micros = 2_000_000

log = structlog.get_logger()


class RateLimits(Protocol):
    """Who asks: the API, for every authenticated request. Raises `Unavailable` when the database is away."""

    async def count(self, limits: Mapping[str, Limit]) -> Verdict | None:
        """Counts one request under every scope, or under none and refuses; None when nothing is limited.

        limits: by scope (`key:...`, `workspace:...`, `person:...`); the order is the same for all callers.
        """
        ...

    async def close(self) -> None:
        """Writes what is not written yet."""
        ...


class _Refuse(Exception):  # noqa: N818 - not an error, the way out of a transaction that must not commit
    pass


class SharedCounts:
    """For PostgreSQL."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._previous: dict[tuple[str, int], int] = {}
        self._forgot_at = float("-inf")

    async def count(self, limits: Mapping[str, Limit]) -> Verdict | None:
        """See `RateLimits.count`."""
        active = [(scope, limit) for scope, limit in limits.items() if limit.requests]
        if not active:
            return None
        now = self._clock.now()
        verdicts: list[Verdict] = []
        previous = {scope: await self._previous_of(scope, limit, now) for scope, limit in active}
        try:
            async with self._database.transaction() as transaction:
                for scope, limit in active:
                    verdicts.append(await self._add(transaction, scope, limit, previous[scope], now))
                    if not verdicts[-1].allowed:
                        raise _Refuse
        except _Refuse:
            return verdicts[-1]
        await self._forget()
        return sliding_window.nearer(verdicts)

    async def close(self) -> None:
        """Nothing is kept here."""

    async def _add(self, transaction: QueryExecutor, scope: str, limit: Limit, previous: int, now: Micros) -> Verdict:
        start = sliding_window.start_of(limit, now)
        row = await transaction.fetch_one(
            "rate_limit_add",
            scope=scope,
            window_start=start,
            amount=1,
            max_used=sliding_window.bound(limit, previous, now),
        )
        if row is not None:
            return sliding_window.verdict(limit, previous, row["used"], now, allowed=True)
        counts = await window_counts(transaction, scope, limit, now)
        return sliding_window.verdict(limit, previous, counts[1], now, allowed=False)

    async def _previous_of(self, scope: str, limit: Limit, now: Micros) -> int:
        """The previous window's count: over, so remembered; but for its stragglers in the first moments."""
        key = scope, sliding_window.start_of(limit, now)
        known = self._previous.get(key)
        if known is not None:
            return known
        previous, _ = await window_counts(self._database, scope, limit, now)
        if now % limit.length > _SETTLED:
            if len(self._previous) > 10_000:
                self._previous.clear()
            self._previous[key] = previous
        return previous

    async def _forget(self) -> None:
        if self._clock.monotonic() - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = self._clock.monotonic()
        await self._database.execute("rate_limit_delete_expired", horizon=self._clock.now() // 1_000_000 - KEPT_SECONDS)


@dataclass(slots=True)
class _Tally:
    """One scope's counts: `written` is what the database has, `new` what only we know of the current window."""

    start: int
    previous: int
    written: int
    new: int = 0
    unwritten: dict[int, int] = field(default_factory=dict)  # of earlier windows, by their start

    @property
    def current(self) -> int:
        return self.written + self.new


class ProcessCounts:
    """For SQLite. The first count starts the writing; `close` ends it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._tallies: dict[str, _Tally] = {}
        self._reading: dict[str, asyncio.Lock] = {}
        self._writer: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._forgot_at = float("-inf")

    async def count(self, limits: Mapping[str, Limit]) -> Verdict | None:
        """See `RateLimits.count`. Between reading the tallies and counting nothing waits, so nothing interferes."""
        active = [(scope, limit) for scope, limit in limits.items() if limit.requests]
        if not active:
            return None
        for scope, limit in active:
            await self._load(scope, limit)
        now = self._clock.now()
        tallies = [(self._at(scope, limit, now), limit) for scope, limit in active]
        for tally, limit in tallies:
            if tally.current >= sliding_window.bound(limit, tally.previous, now):
                return sliding_window.verdict(limit, tally.previous, tally.current, now, allowed=False)
        for tally, _ in tallies:
            tally.new += 1
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write_on())
        return sliding_window.nearer(
            [
                sliding_window.verdict(limit, tally.previous, tally.current, now, allowed=True)
                for tally, limit in tallies
            ]
        )

    async def close(self) -> None:
        """Writes what is left."""
        self._closing.set()
        if self._writer is not None:
            await self._writer
        await self.flush()

    async def flush(self) -> None:
        """Adds what was counted since the last time; what cannot be written now is written the next time."""
        counted = self._take()
        if not counted:
            return
        try:
            async with self._database.transaction() as transaction:
                for scope, start, amount in counted:
                    row = await transaction.fetch_one(
                        "rate_limit_add", scope=scope, window_start=start, amount=amount, max_used=2**62
                    )
                    tally = self._tallies.get(scope)
                    if row is not None and tally is not None and tally.start == start:
                        tally.written = row["used"]
                    elif row is not None and tally is not None:
                        tally.previous = max(tally.previous, row["used"])
        except Unavailable as error:
            self._give_back(counted)
            log.debug("rate_limits.database_unavailable", reason=str(error))

    def _take(self) -> list[tuple[str, int, int]]:
        counted = []
        for scope, tally in self._tallies.items():
            counted += [(scope, start, amount) for start, amount in tally.unwritten.items()]
            tally.unwritten = {}
            if tally.new:
                counted.append((scope, tally.start, tally.new))
                # Counted once, here or there: the answer of the database replaces it.
                tally.written, tally.new = tally.written + tally.new, 0
        return counted

    def _give_back(self, counted: Sequence[tuple[str, int, int]]) -> None:
        for scope, start, amount in counted:
            tally = self._tallies.get(scope)
            if tally is not None and tally.start == start:
                tally.written, tally.new = tally.written - amount, tally.new + amount
            elif tally is not None:
                tally.unwritten[start] = tally.unwritten.get(start, 0) + amount

    async def _load(self, scope: str, limit: Limit) -> None:
        """What the database has of a scope that is new here."""
        if scope in self._tallies:
            return
        async with self._reading.setdefault(scope, asyncio.Lock()):
            if scope not in self._tallies:
                now = self._clock.now()
                previous, current = await window_counts(self._database, scope, limit, now)
                self._tallies[scope] = _Tally(sliding_window.start_of(limit, now), previous, current)
        self._reading.pop(scope, None)

    def _at(self, scope: str, limit: Limit, now: Micros) -> _Tally:
        """The scope's tally, moved on to the window of now."""
        tally = self._tallies[scope]
        start = sliding_window.start_of(limit, now)
        if start > tally.start:
            if tally.new:
                tally.unwritten[tally.start] = tally.unwritten.get(tally.start, 0) + tally.new
            tally.previous = tally.current if start == tally.start + limit.seconds else 0
            tally.start, tally.written, tally.new = start, 0, 0
        return tally

    async def _write_on(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_EVERY):
                    await self._closing.wait()
            await self.flush()
            await self._forget()

    async def _forget(self) -> None:
        if self._clock.monotonic() - self._forgot_at < FORGET_EVERY:
            return
        self._forgot_at = self._clock.monotonic()
        horizon = self._clock.now() // 1_000_000 - KEPT_SECONDS
        idle = [scope for scope, tally in self._tallies.items() if tally.start < horizon and not tally.unwritten]
        for scope in idle:
            del self._tallies[scope]
        with contextlib.suppress(Unavailable):
            await self._database.execute("rate_limit_delete_expired", horizon=horizon)


async def window_counts(transaction: QueryExecutor, scope: str, limit: Limit, now: Micros) -> tuple[int, int]:
    """(previous, current) as the database has them."""
    start = sliding_window.start_of(limit, now)
    rows = await transaction.fetch_all(
        "rate_limit_used", scope=scope, window_start=start, previous_start=start - limit.seconds
    )
    by_start = {row["window_start"]: row["used"] for row in rows}
    return by_start.get(start - limit.seconds, 0), by_start.get(start, 0)

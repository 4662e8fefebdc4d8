"""The overview of a workspace: counts of the last 30 days, unresolved tickets, and durations.

Contains no data of senders. To bound the cost, counts are capped and durations are sampled. All numbers except those
of unresolved tickets are cached. Reads only.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

from router import ids
from router.clock import Clock
from router.expiring_cache import ExpiringCache
from router.local_time import DEFAULT_TIMEZONE, get_zone
from router.model import Actor, Micros
from router.store.database import Database, Row

DAYS = 30
# Maximum of each count for a day, a status or an alias. For messages, the maximum number of rows of all workspaces that
# are scanned for a day.
MAX_COUNTED = 10_000
MAX_ALIASES = 1000
SAMPLE_SIZE = 1000
# One entry is cached for each pair of workspace and time zone.
CACHE_SECONDS = 60.0
MAX_CACHED_WORKSPACES = 200


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The counts of one day. `dead` counts the permanently failed deliveries that were created on that day."""

    date: date
    messages: int
    tickets: int
    dead: int


@dataclass(frozen=True, slots=True)
class OpenTickets:
    """Numbers of unresolved tickets by status."""

    open: int
    in_progress: int
    waiting: int

    @property
    def counts(self) -> tuple[int, int, int]:
        return self.open, self.in_progress, self.waiting

    @property
    def total(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class AliasOpenTickets:
    """Numbers of unresolved tickets of one alias."""

    alias_id: str
    address: str
    tickets: OpenTickets


@dataclass(frozen=True, slots=True)
class DurationStatistics:
    """The median and the 90th or 95th percentile (see `Overview`) of `count` durations; None if `count` is 0."""

    count: int
    median: Micros | None
    percentile: Micros | None


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of a workspace.

    Attributes:
        days: Oldest first; the last one is today.
        now: Unresolved tickets.
        by_alias: Existing aliases with unresolved tickets, most tickets first.
        claim: Time from receipt to the first assignment (median, 90th percentile).
        resolve: Time from receipt to resolution (median, 90th percentile).
        delivery: Time from receipt to the response of the integration (median, 95th percentile).
        capped: Whether a number may be too low, because a limit was reached.
    """

    days: tuple[DayCounts, ...]
    now: OpenTickets
    unassigned: int
    by_alias: tuple[AliasOpenTickets, ...]
    claim: DurationStatistics
    resolve: DurationStatistics
    delivery: DurationStatistics
    capped: bool


@dataclass(frozen=True, slots=True)
class _MonthStatistics:
    """The cached part of an overview."""

    days: tuple[DayCounts, ...]
    claim: DurationStatistics
    resolve: DurationStatistics
    delivery: DurationStatistics
    capped: bool


class OverviewService:
    """Reads overviews. The clock of `router.ids` determines the current day."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._read_lock = asyncio.Lock()
        self._cache: ExpiringCache[tuple[str, str], _MonthStatistics] = ExpiringCache(clock, MAX_CACHED_WORKSPACES)

    async def get(self, actor: Actor, *, timezone: str = DEFAULT_TIMEZONE) -> Overview:
        """`timezone` determines when a day begins and ends."""
        month = await self._get_month(actor.workspace_id, timezone)
        values = {"workspace_id": actor.workspace_id, "limit": MAX_COUNTED}
        status, aliases = await asyncio.gather(
            self._database.fetch_one("overview_status", **values),
            self._database.fetch_all("overview_aliases", max_aliases=MAX_ALIASES, **values),
        )
        now = _open_tickets(status) if status is not None else OpenTickets(0, 0, 0)
        by_alias = [
            AliasOpenTickets(row["id"], f"{row['local_part']}@{row['domain']}", _open_tickets(row)) for row in aliases
        ]
        counts = [count for tickets in (now, *(alias.tickets for alias in by_alias)) for count in tickets.counts]
        return Overview(
            days=month.days,
            now=now,
            unassigned=status["unassigned"] if status is not None else 0,
            by_alias=tuple(
                sorted((alias for alias in by_alias if alias.tickets.total), key=lambda alias: -alias.tickets.total)
            ),
            claim=month.claim,
            resolve=month.resolve,
            delivery=month.delivery,
            capped=month.capped or max(counts) >= MAX_COUNTED or len(aliases) >= MAX_ALIASES,
        )

    async def _get_month(self, workspace_id: str, timezone: str) -> _MonthStatistics:
        """Returns cached statistics, or reads them. Serves one call at a time, to bound the load on the database."""
        async with self._read_lock:
            cached = self._cache.get((workspace_id, timezone))
            if cached is not None:
                return cached
            month = await self._read_month(workspace_id, get_zone(timezone))
            self._cache.store((workspace_id, timezone), month, CACHE_SECONDS)
            return month

    async def _read_month(self, workspace_id: str, timezone: tzinfo) -> _MonthStatistics:
        today = datetime.fromtimestamp(ids.timestamp_ms(ids.first_id_within("msg", 0)) // 1000, timezone).date()
        dates = [today - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
        starts = [_first_id_suffix(day, timezone) for day in (*dates, today + timedelta(days=1))]
        values = {"workspace_id": workspace_id, "limit": MAX_COUNTED, "days": json.dumps(list(pairwise(starts)))}
        messages, tickets, dead = await asyncio.gather(
            self._database.fetch_all("overview_mails", **values),
            self._database.fetch_all("overview_tickets", **values),
            self._database.fetch_all("overview_dead", **values),
        )
        messages_by_day, tickets_by_day, dead_by_day = (
            {row["day"]: row[name] for row in rows}
            for rows, name in ((messages, "mails"), (tickets, "tickets"), (dead, "dead"))
        )
        days = tuple(
            DayCounts(day, messages_by_day[n], tickets_by_day[n], dead_by_day[n]) for n, day in enumerate(dates)
        )
        claim, resolve = await self._read_ticket_durations(workspace_id, starts[0], sum(day.tickets for day in days))
        delivery = await self._read_delivery_durations(workspace_id, starts[0], sum(day.messages for day in days))
        counts = [*(row["scanned"] for row in messages), *tickets_by_day.values(), *dead_by_day.values()]
        return _MonthStatistics(days, claim, resolve, delivery, max(counts) >= MAX_COUNTED)

    async def _read_sample(self, query: str, workspace_id: str, since: str, count: int) -> Sequence[Row]:
        return await self._database.fetch_all(
            query, workspace_id=workspace_id, since=since, every=sample_step(count), limit=2 * SAMPLE_SIZE
        )

    async def _read_ticket_durations(
        self, workspace_id: str, since: str, count: int
    ) -> tuple[DurationStatistics, DurationStatistics]:
        rows = await self._read_sample("overview_ticket_times", workspace_id, f"ticket_{since}", count)
        claims, resolutions = [], []
        for row in rows:
            # Setting the status `in_progress` can assign a ticket without a `claimed` event.
            claim_times = [at for at in (row["first_claimed_at"], row["claimed_at"]) if at is not None]
            if claim_times:
                claims.append(max(0, min(claim_times) - row["received_at"]))
            if row["resolved_at"] is not None:
                resolutions.append(max(0, row["resolved_at"] - row["received_at"]))
        return duration_statistics(claims, 0.9), duration_statistics(resolutions, 0.9)

    async def _read_delivery_durations(self, workspace_id: str, since: str, count: int) -> DurationStatistics:
        rows = await self._read_sample("overview_delivery_times", workspace_id, f"dlv_{since}", count)
        return duration_statistics(
            [max(0, row["delivered_at"] - row["created_at"]) for row in rows if row["delivered_at"] is not None], 0.95
        )


def duration_statistics(values: Sequence[Micros], quantile: float) -> DurationStatistics:
    """Returns the median and a quantile of durations (nearest-rank method)."""
    if not values:
        return DurationStatistics(0, None, None)
    ordered = sorted(values)
    ranks = [max(1, math.ceil(q * len(ordered))) for q in (0.5, quantile)]
    return DurationStatistics(len(ordered), ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def sample_step(count: int) -> int:
    """Returns the sampling step n for `count` rows: every n-th row is sampled."""
    return max(1, round(count / SAMPLE_SIZE))


def _first_id_suffix(day: date, timezone: tzinfo) -> str:
    midnight = datetime(day.year, day.month, day.day, tzinfo=timezone)
    return ids.first_id_at("msg", int(midnight.timestamp()) * 1000).partition("_")[2]


def _open_tickets(row: Row) -> OpenTickets:
    return OpenTickets(row["open"], row["in_progress"], row["waiting"])

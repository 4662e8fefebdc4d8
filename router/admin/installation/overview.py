"""A workspace from above: what came in the last thirty days, what is open now, and how long things take.

Figures, no names of people. Days are those of a time zone, UTC unless another is named. All of it is quick however much
there is, and so it is bounded: a count stops at `MOST_COUNTED` (then `capped`), and times are those of a fair sample of
about `SAMPLE` where there are more. What is open is told as it is now, the thirty days as they were within a minute.
Reading alone.
"""

from __future__ import annotations

import asyncio
import json
import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from itertools import pairwise

from router import ids
from router.clock import Clock
from router.local_time import DEFAULT_TIMEZONE, zone
from router.model import Actor, Micros
from router.store.database import Database, Row

DAYS = 30
# Of one day, one status, one alias. Of mails it is those of all workspaces together.
MAX_COUNTED = 10_000
MAX_ALIASES = 1000
SAMPLE_SIZE = 1000
# How long a process goes on telling what it read of the thirty days, and for how many workspaces it remembers that.
CACHE_SECONDS = 60.0
MAX_CACHED_WORKSPACES = 200


@dataclass(frozen=True, slots=True)
class DayCounts:
    """One day. dead: deliveries for its mails that were given up, and not sent again since."""

    date: date
    messages: int
    tickets: int
    dead: int


@dataclass(frozen=True, slots=True)
class OpenTickets:
    """Tickets that are not resolved, by their status."""

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
    """The same at one address."""

    alias_id: str
    address: str
    tickets: OpenTickets


@dataclass(frozen=True, slots=True)
class DurationStatistics:
    """How long something takes, of so many that were looked at; None where there were none. p: 90 or 95."""

    count: int
    median: Micros | None
    percentile: Micros | None


@dataclass(frozen=True, slots=True)
class Overview:
    """days: oldest first, the last one is today. by_alias: those with open tickets, the most first; the rest of `now`
    came to addresses that are no alias any more. claim, resolve: from a mail to its ticket's first owner, to its
    end (median, p90); delivery: from the commit to the integration's answer (median, p95).

    capped: some count stopped at its bound and is the least that it can be.
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
    """What is told of thirty days."""

    days: tuple[DayCounts, ...]
    claim: DurationStatistics
    resolve: DurationStatistics
    delivery: DurationStatistics
    capped: bool


class OverviewService:
    """Moments are taken from ids, so that the days are those of the clock that made them."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._read_lock = asyncio.Lock()
        self._cache: OrderedDict[tuple[str, str], tuple[float, _MonthStatistics]] = OrderedDict()

    async def get(self, actor: Actor, *, timezone: str = DEFAULT_TIMEZONE) -> Overview:
        """The figures of the actor's workspace. timezone: where the days begin and end."""
        month = await self._get_month(actor.workspace_id, timezone)
        asked = {"workspace_id": actor.workspace_id, "limit": MAX_COUNTED}
        status, aliases = await asyncio.gather(
            self._database.fetch_one("overview_status", **asked),
            self._database.fetch_all("overview_aliases", max_aliases=MAX_ALIASES, **asked),
        )
        now = _open_tickets(status) if status is not None else OpenTickets(0, 0, 0)
        by_alias = [
            AliasOpenTickets(row["id"], f"{row['local_part']}@{row['domain']}", _open_tickets(row)) for row in aliases
        ]
        counts = [count for one in (now, *(at.tickets for at in by_alias)) for count in one.counts]
        return Overview(
            days=month.days,
            now=now,
            unassigned=status["unassigned"] if status is not None else 0,
            by_alias=tuple(sorted((at for at in by_alias if at.tickets.total), key=lambda at: -at.tickets.total)),
            claim=month.claim,
            resolve=month.resolve,
            delivery=month.delivery,
            capped=month.capped or max(counts) >= MAX_COUNTED or len(aliases) >= MAX_ALIASES,
        )

    async def _get_month(self, workspace_id: str, timezone: str) -> _MonthStatistics:
        """What does not change from one look to the next is kept for a minute, and made for one who asks at a time."""
        async with self._read_lock:
            kept = self._cache.get((workspace_id, timezone))
            if kept is not None and self._clock.monotonic() < kept[0]:
                return kept[1]
            found = await self._read_month(workspace_id, zone(timezone))
            self._cache[workspace_id, timezone] = self._clock.monotonic() + CACHE_SECONDS, found
            self._cache.move_to_end((workspace_id, timezone))
            while len(self._cache) > MAX_CACHED_WORKSPACES:
                self._cache.popitem(last=False)
            return found

    async def _read_month(self, workspace_id: str, days_in: tzinfo) -> _MonthStatistics:
        today = datetime.fromtimestamp(ids.moment(ids.oldest("msg", 0)) // 1000, days_in).date()
        dates = [today - timedelta(days=DAYS - 1 - n) for n in range(DAYS)]
        begins = [_first_id_suffix(day, days_in) for day in (*dates, today + timedelta(days=1))]
        asked = {"workspace_id": workspace_id, "limit": MAX_COUNTED, "days": json.dumps(list(pairwise(begins)))}
        mails, tickets, dead = await asyncio.gather(
            self._database.fetch_all("overview_mails", **asked),
            self._database.fetch_all("overview_tickets", **asked),
            self._database.fetch_all("overview_dead", **asked),
        )
        mails_of, tickets_of, dead_of = (
            {row["day"]: row[name] for row in rows}
            for rows, name in ((mails, "mails"), (tickets, "tickets"), (dead, "dead"))
        )
        days = tuple(DayCounts(day, mails_of[n], tickets_of[n], dead_of[n]) for n, day in enumerate(dates))
        claim, resolve = await self._read_ticket_durations(workspace_id, begins[0], sum(day.tickets for day in days))
        delivery = await self._read_delivery_durations(workspace_id, begins[0], sum(day.messages for day in days))
        counts = [*(row["scanned"] for row in mails), *tickets_of.values(), *dead_of.values()]
        return _MonthStatistics(days, claim, resolve, delivery, max(counts) >= MAX_COUNTED)

    async def _read_ticket_durations(
        self, workspace_id: str, since: str, count: int
    ) -> tuple[DurationStatistics, DurationStatistics]:
        rows = await self._database.fetch_all(
            "overview_ticket_times",
            workspace_id=workspace_id,
            since=f"ticket_{since}",
            every=sample_step(count),
            limit=2 * SAMPLE_SIZE,
        )
        claims, resolutions = [], []
        for row in rows:
            # Setting a ticket to `in_progress` claims it without an event of that name.
            claimed = [at for at in (row["first_claimed_at"], row["claimed_at"]) if at is not None]
            if claimed:
                claims.append(max(0, min(claimed) - row["received_at"]))
            if row["resolved_at"] is not None:
                resolutions.append(max(0, row["resolved_at"] - row["received_at"]))
        return duration_statistics(claims, 0.9), duration_statistics(resolutions, 0.9)

    async def _read_delivery_durations(self, workspace_id: str, since: str, count: int) -> DurationStatistics:
        rows = await self._database.fetch_all(
            "overview_delivery_times",
            workspace_id=workspace_id,
            since=f"dlv_{since}",
            every=sample_step(count),
            limit=2 * SAMPLE_SIZE,
        )
        return duration_statistics(
            [max(0, row["delivered_at"] - row["created_at"]) for row in rows if row["delivered_at"] is not None], 0.95
        )


def duration_statistics(values: Sequence[Micros], p: float) -> DurationStatistics:
    """The median and the p-quantile of some durations, each one of them (nearest rank)."""
    if not values:
        return DurationStatistics(0, None, None)
    ordered = sorted(values)
    ranks = [max(1, math.ceil(q * len(ordered))) for q in (0.5, p)]
    return DurationStatistics(len(ordered), ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def sample_step(count: int) -> int:
    """The n for which every n-th of `count` rows gives a sample of about `SAMPLE`."""
    return max(1, round(count / SAMPLE_SIZE))


def _first_id_suffix(day: date, days_in: tzinfo) -> str:
    """The smallest id of a day, without its prefix."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=days_in)
    return ids.first("msg", int(midnight.timestamp()) * 1000).partition("_")[2]


def _open_tickets(row: Row) -> OpenTickets:
    return OpenTickets(row["open"], row["in_progress"], row["waiting"])

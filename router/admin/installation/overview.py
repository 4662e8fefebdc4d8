"""The overview of a workspace: counts of the last days and hours, unresolved tickets, people, and durations.

To bound the cost, counts are capped and durations are sampled. All numbers except those of unresolved tickets are
cached. Days are spans of ids, which contain the time. Reads only.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, tzinfo

from router import ids
from router.admin.installation import day_spans
from router.admin.installation.day_spans import Span
from router.admin.installation.duration_samples import (
    SAMPLE_SIZE,
    DurationStatistics,
    duration_statistics,
    sample_numbers,
)
from router.clock import Clock
from router.expiring_cache import ExpiringCache
from router.local_time import DEFAULT_TIMEZONE, get_zone
from router.model import Actor
from router.store.database import Database, Row

DAYS = 30
RANGES = (7, 30, 90)  # the numbers of days that can be requested
# Maximum of each count for a day, an hour, a status, an alias or a person. With several workspaces, for messages the
# maximum number of rows of all workspaces that are scanned for a day.
MAX_COUNTED = 10_000
MAX_ALIASES = 1000
MAX_PEOPLE = 200
MAX_RESOLVED = 100_000  # maximum number of resolved tickets whose assignees are counted
# Today is compared with the same weekday a week ago, or in a new workspace with yesterday.
_COMPARED = (7, 1)
# One entry is cached for each pair of workspace and time zone.
CACHE_SECONDS = 60.0
MAX_CACHED_WORKSPACES = 200


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The counts of one day, or of its part until some time.

    `dead` counts the permanently failed deliveries that were created on that day, and `resolved` the tickets that were
    resolved on it and not opened again.
    """

    date: date
    messages: int
    tickets: int
    dead: int
    resolved: int = 0


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
    """Numbers of unresolved tickets of one alias, and of the tickets that were opened in the days of the overview."""

    alias_id: str
    address: str
    tickets: OpenTickets
    new: int = 0


@dataclass(frozen=True, slots=True)
class PersonTickets:
    """The tickets assigned to a user: the unresolved ones, and those resolved in the days of the overview."""

    user_id: str
    name: str
    open: int
    resolved: int


@dataclass(frozen=True, slots=True)
class Overview:
    """The overview of a workspace.

    Attributes:
        days: Oldest first; the last one is today.
        earlier: An earlier day until the present time of day, to compare today with. None in a workspace without one.
        hours: For each weekday, Monday first, the tickets opened in each hour of the local time.
        now: Unresolved tickets.
        spam_held: Tickets that are held as spam. No other number counts them.
        by_alias: Existing aliases with unresolved tickets, most tickets first.
        by_person: Enabled admins and agents, and other users with tickets, most unresolved tickets first.
        resolved_unassigned: The resolved tickets without an assignee.
        claim: Time from receipt to the first assignment (median, 90th percentile).
        resolve: Time from receipt to resolution (median, 90th percentile).
        delivery: Time from receipt to the response of the integration (median, 95th percentile).
        capped: Whether a number may be too low, because a limit was reached.
    """

    days: tuple[DayCounts, ...]
    earlier: DayCounts | None
    hours: tuple[tuple[int, ...], ...]
    now: OpenTickets
    unassigned: int
    spam_held: int
    by_alias: tuple[AliasOpenTickets, ...]
    by_person: tuple[PersonTickets, ...]
    resolved_unassigned: int
    claim: DurationStatistics
    resolve: DurationStatistics
    delivery: DurationStatistics
    capped: bool


@dataclass(frozen=True, slots=True)
class _Period:
    """The cached part of an overview. `new` and `resolved` count by the ids of aliases and of users."""

    days: tuple[DayCounts, ...]
    earlier: DayCounts | None
    hours: tuple[tuple[int, ...], ...]
    new: Mapping[str, int]
    resolved: Mapping[str, int]
    claim: DurationStatistics
    resolve: DurationStatistics
    delivery: DurationStatistics
    capped: bool


class OverviewService:
    """Reads overviews. The clock of `router.ids` determines the current day."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._read_lock = asyncio.Lock()
        self._cache: ExpiringCache[tuple[str, str, int], _Period] = ExpiringCache(clock, MAX_CACHED_WORKSPACES)

    async def get(self, actor: Actor, *, timezone: str = DEFAULT_TIMEZONE, days: int = DAYS) -> Overview:
        """`timezone` determines when a day begins and ends. `days` is one of `RANGES`."""
        period = await self._get_period(actor.workspace_id, timezone, days)
        values = {"workspace_id": actor.workspace_id, "limit": MAX_COUNTED}
        status, spam, aliases, people = await asyncio.gather(
            self._database.fetch_one("overview_status", **values),
            self._database.fetch_one("overview_spam", **values),
            self._database.fetch_all("overview_aliases", max_aliases=MAX_ALIASES, **values),
            self._database.fetch_all("overview_people", max_people=MAX_PEOPLE, **values),
        )
        now = _open_tickets(status) if status is not None else OpenTickets(0, 0, 0)
        by_alias = [
            AliasOpenTickets(
                row["id"], f"{row['local_part']}@{row['domain']}", _open_tickets(row), period.new.get(row["id"], 0)
            )
            for row in aliases
        ]
        counts = [count for tickets in (now, *(alias.tickets for alias in by_alias)) for count in tickets.counts]
        spam_held = spam["spam"] if spam is not None else 0
        return Overview(
            days=period.days,
            earlier=period.earlier,
            hours=period.hours,
            now=now,
            unassigned=status["unassigned"] if status is not None else 0,
            spam_held=spam_held,
            by_alias=tuple(
                sorted((alias for alias in by_alias if alias.tickets.total), key=lambda alias: -alias.tickets.total)
            ),
            by_person=_people(people, period.resolved),
            resolved_unassigned=period.resolved.get("", 0),
            claim=period.claim,
            resolve=period.resolve,
            delivery=period.delivery,
            capped=period.capped or max(*counts, spam_held) >= MAX_COUNTED or len(aliases) >= MAX_ALIASES,
        )

    async def _get_period(self, workspace_id: str, timezone: str, days: int) -> _Period:
        """Returns cached statistics, or reads them. Serves one call at a time, to bound the load on the database."""
        key = (workspace_id, timezone, days)
        async with self._read_lock:
            cached = self._cache.get(key)
            if cached is not None:
                return cached
            period = await self._read_period(workspace_id, get_zone(timezone), days)
            self._cache.store(key, period, CACHE_SECONDS)
            return period

    async def _read_period(self, workspace_id: str, zone: tzinfo, count: int) -> _Period:
        now = ids.timestamp_ms(ids.first_id_within("msg", 0))
        dates = day_spans.last_days(count, now, zone)
        spans = [day_spans.day_span(day, zone) for day in dates]
        compared = _find_compared(workspace_id, now, zone)
        hours = list(day_spans.hour_spans(dates, zone))
        extra = [] if compared is None else [compared[1]]
        counts = await self._count(workspace_id, [*spans, *extra], [*hours, *extra])
        by_hour = counts["tickets"]
        of_day = Counter[date]()
        of_hour = Counter[tuple[int, int]]()
        for n, hour in enumerate(hours):
            of_day[hour.date] += by_hour[n]
            of_hour[hour.date.weekday(), hour.hour] += by_hour[n]
        tickets = [min(of_day[day], MAX_COUNTED) for day in dates] + [
            by_hour[len(hours) + n] for n in range(len(extra))
        ]
        days = [
            DayCounts(day, counts["mails"][n], tickets[n], counts["dead"][n], counts["resolved"][n])
            for n, day in enumerate([*dates, *([] if compared is None else [compared[0]])])
        ]
        earlier = None if compared is None else days.pop()
        since = _id_suffix(spans[0].start)
        claim, resolve, delivery = await self._read_durations(workspace_id, since, sum(day.tickets for day in days))
        new, resolved = await self._count_new_and_resolved(workspace_id, spans[0].start)
        return _Period(
            days=tuple(days),
            earlier=earlier,
            hours=tuple(tuple(of_hour[weekday, hour] for hour in range(24)) for weekday in range(7)),
            new=new,
            resolved=resolved,
            claim=claim,
            resolve=resolve,
            delivery=delivery,
            capped=max(tickets) >= MAX_COUNTED
            or any(count >= MAX_COUNTED for numbers in counts.values() for count in numbers.values())
            or any(count >= MAX_COUNTED for count in new.values())
            or sum(resolved.values()) >= MAX_RESOLVED,
        )

    async def _count(
        self, workspace_id: str, days: Sequence[Span], hours: Sequence[Span]
    ) -> Mapping[str, Mapping[int, int]]:
        """Returns the numbers of tickets of each of `hours`, and the other numbers of each of `days`.

        `scanned` has the numbers of messages that were read.
        """
        values = {"workspace_id": workspace_id, "limit": MAX_COUNTED}
        of_days = json.dumps([(_id_suffix(span.start), _id_suffix(span.end)) for span in days])
        of_hours = json.dumps([(_id_suffix(span.start), _id_suffix(span.end)) for span in hours])
        times = json.dumps([(span.start * 1000, span.end * 1000) for span in days])
        total = await self._database.fetch_one("workspace_count")
        alone = total is not None and total["workspaces"] == 1
        mails, tickets, dead, resolved = await asyncio.gather(
            self._database.fetch_all("overview_mails", alone=alone, spans=of_days, **values),
            self._database.fetch_all("overview_tickets", spans=of_hours, **values),
            self._database.fetch_all("overview_dead", spans=of_days, **values),
            self._database.fetch_all("overview_resolved", spans=times, **values),
        )
        named = (("mails", mails), ("scanned", mails), ("tickets", tickets), ("dead", dead), ("resolved", resolved))
        return {name: {row["n"]: row[name] for row in rows} for name, rows in named}

    async def _count_new_and_resolved(
        self, workspace_id: str, since_ms: int
    ) -> tuple[Mapping[str, int], Mapping[str, int]]:
        new, resolved = await asyncio.gather(
            self._database.fetch_all(
                "overview_new_by_alias",
                workspace_id=workspace_id,
                since=f"ticket_{_id_suffix(since_ms)}",
                limit=MAX_COUNTED,
                max_aliases=MAX_ALIASES,
            ),
            self._database.fetch_all(
                "overview_resolved_by_person", workspace_id=workspace_id, since=since_ms * 1000, limit=MAX_RESOLVED
            ),
        )
        return {row["id"]: row["new"] for row in new}, {row["user_id"] or "": row["resolved"] for row in resolved}

    async def _read_durations(
        self, workspace_id: str, since: str, tickets: int
    ) -> tuple[DurationStatistics, DurationStatistics, DurationStatistics]:
        """Returns the times to assign and to resolve of a sample of the tickets since an id, and to deliver them."""
        since_id = f"ticket_{since}"
        row = await self._database.fetch_one("overview_numbers", workspace_id=workspace_id, since=since_id)
        newest, oldest = (0, None) if row is None else (row["newest"] or 0, row["oldest"])
        numbers = sample_numbers(newest, 0 if oldest is None else newest - oldest + 1, tickets)
        values = {"workspace_id": workspace_id, "since": since_id, "numbers": json.dumps(numbers)}
        rows, deliveries = await asyncio.gather(
            self._database.fetch_all("overview_ticket_times", **values),
            self._database.fetch_all("overview_delivery_times", limit=2 * SAMPLE_SIZE, **values),
        )
        claims, resolutions = [], []
        for row in rows:
            # Setting the status `in_progress` can assign a ticket without a `claimed` event.
            claim_times = [at for at in (row["first_claimed_at"], row["claimed_at"]) if at is not None]
            if claim_times:
                claims.append(max(0, min(claim_times) - row["received_at"]))
            if row["resolved_at"] is not None:
                resolutions.append(max(0, row["resolved_at"] - row["received_at"]))
        latencies = [max(0, row["delivered_at"] - row["created_at"]) for row in deliveries]
        return (
            duration_statistics(claims, 0.9),
            duration_statistics(resolutions, 0.9),
            duration_statistics(latencies, 0.95),
        )


def _find_compared(workspace_id: str, now: int, zone: tzinfo) -> tuple[date, Span] | None:
    """Returns the first of the days to compare with that the workspace existed on from its beginning."""
    created = ids.timestamp_ms(workspace_id)
    candidates = (day_spans.until_same_time(days_ago, now, zone) for days_ago in _COMPARED)
    return next((each for each in candidates if each[1].start >= created), None)


def _people(rows: Sequence[Row], resolved: Mapping[str, int]) -> tuple[PersonTickets, ...]:
    people = [
        PersonTickets(row["id"], row["name"] or row["email"], row["open"], resolved.get(row["id"], 0))
        for row in rows
        if row["is_active"] or row["open"] or resolved.get(row["id"])
    ]
    return tuple(sorted(people, key=lambda person: (-person.open, -person.resolved, person.name.casefold())))


def _id_suffix(timestamp_ms: int) -> str:
    return ids.first_id_at("msg", timestamp_ms).partition("_")[2]


def _open_tickets(row: Row) -> OpenTickets:
    return OpenTickets(row["open"], row["in_progress"], row["waiting"])

"""`/activity/overview`: today, the last days, and what waits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from markupsafe import Markup

from api.dashboard import charts, display_names
from api.dashboard.charts import ChartPoint
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.installation.overview import MAX_COUNTED, RANGES, DayCounts, Overview
from router.enumerations import TICKET_STATUS
from router.errors import Refused
from router.filters import TicketFilter
from router.local_time import LocalTime

MAX_ROWS = 12
MAX_OLDEST = 5
# As many tickets held as spam as a person can hardly look through: the settings of the sender checks need attention.
MANY_SPAM = 500
HEAT_LEVELS = 4
_DAYS = RANGES[0]
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
# Nobody waits for a response to automatic mail.
_WAITING = TicketFilter(automatic="exclude")
_UNRESOLVED = [status for status in TICKET_STATUS.values if status != "resolved"]


@dataclass(frozen=True, slots=True)
class TodayFigure:
    """A number of today. `difference` compares it with an earlier day, "" without one."""

    label: str
    number: int
    difference: str
    is_bad: bool = False


async def show_overview(visit: Visit) -> HtmlPage:
    count = _requested_days(visit)
    local = await visit.local_time()
    overview = await visit.services.overview.get(visit.actor, timezone=local.timezone, days=count)
    waiting = await visit.services.tickets.lists.list(visit.actor, _WAITING, sort="waiting", limit=MAX_OLDEST)
    oldest = waiting.items
    assignees = [ticket.assigned_to for ticket in oldest]
    known = await visit.services.display_names.resolve(visit.actor, assignees)
    labels = [local.format_day(day.date) for day in overview.days]
    context = {
        "overview": overview,
        "health": await visit.services.health.get(visit.actor),
        "is_unreachable": await visit.services.reachability.is_unreachable(visit.actor),
        "oldest": oldest,
        "names": await display_names.resolve(visit, assignees),
        "emails": {id_: user.email for id_, user in known.items()},
        "ranges": RANGES,
        "count": count,
        "count_limit": MAX_COUNTED,
        "max_rows": MAX_ROWS,
        "many_spam": MANY_SPAM,
        "today": today_figures(overview.days[-1], overview.earlier),
        "compared": "" if overview.earlier is None else _name_day(overview.days[-1].date, overview.earlier.date),
        "days": list(zip(labels, overview.days, strict=True)),
        "charts": _charts(labels, overview.days),
        "heat": heat_rows(overview.hours),
        "busiest": busiest_hour(overview.hours, local),
        **_address_context(overview),
    }
    return HtmlPage("overview.html", "Overview", context)


def _requested_days(visit: Visit) -> int:
    text = visit.query.get("days", str(_DAYS))
    if text not in map(str, RANGES):
        raise Refused("invalid_request", f"days must be one of: {', '.join(map(str, RANGES))}", "days")
    return int(text)


def today_figures(today: DayCounts, earlier: DayCounts | None) -> list[TodayFigure]:
    def figure(label: str, name: str, *, is_bad: bool = False) -> TodayFigure:
        number = getattr(today, name)
        difference = ""
        if earlier is not None:
            difference = _describe_difference(number - getattr(earlier, name), _name_day(today.date, earlier.date))
        return TodayFigure(label, number, difference, is_bad and number > 0)

    return [
        figure("new tickets", "tickets"),
        figure("messages", "messages"),
        figure("resolved", "resolved"),
        figure("failed deliveries", "dead", is_bad=True),
    ]


def _describe_difference(difference: int, day: str) -> str:
    return f"{difference:+,} compared with {day}" if difference else f"same as {day}"


def _name_day(today: date, earlier: date) -> str:
    return "yesterday" if (today - earlier).days == 1 else f"last {_WEEKDAYS[earlier.weekday()]}"


def _charts(labels: Sequence[str], days: Sequence[DayCounts]) -> list[dict[str, Any]]:
    def points(name: str) -> list[ChartPoint]:
        return [ChartPoint(label, getattr(day, name)) for label, day in zip(labels, days, strict=True)]

    compared = {"messages": "Messages", "tickets": "New tickets", "resolved": "Resolved"}
    scale = max((point.value for name in compared for point in points(name)), default=0)
    return [
        *(_chart(name, heading, points(name), scale) for name, heading in compared.items()),
        _chart("dead", "Failed deliveries", points("dead")),
    ]


def _chart(name: str, heading: str, points: list[ChartPoint], scale: int = 0) -> dict[str, Any]:
    total = sum(point.value for point in points)
    peak = max(points, key=lambda point: point.value)
    title = f"{heading} per day: {total:,} in {len(points)} days"
    if peak.value:
        title += f", maximum {peak.value:,} on {peak.label}"
    return {"name": name, "heading": heading, "total": total, "svg": charts.column_chart(name, title, points, scale)}


def _address_context(overview: Overview) -> dict[str, Any]:
    top = overview.by_alias[:MAX_ROWS]
    rows: list[tuple[str, str, tuple[int, ...], int | None]] = [
        (alias.address, alias.alias_id, alias.tickets.counts, alias.new) for alias in top
    ]
    listed = [sum(counts) for counts in zip(*(alias.tickets.counts for alias in top), strict=True)] or [0, 0, 0]
    others = tuple(max(0, total - part) for total, part in zip(overview.now.counts, listed, strict=True))
    if any(others):
        rows.append(("Other addresses", "", others, None))
    longest = max((sum(counts) for _, _, counts, _ in rows), default=0)
    return {
        "patterns": charts.pattern_definitions(),
        "legend": [(charts.swatch(n), TICKET_STATUS.label(status)) for n, status in enumerate(_UNRESOLVED)],
        "rows": [
            (address, alias_id, counts, new, _bar(n, address, counts, longest))
            for n, (address, alias_id, counts, new) in enumerate(rows)
        ],
    }


def _bar(n: int, address: str, counts: Iterable[int], longest: int) -> Markup:
    parts = tuple(counts)
    described = ", ".join(f"{number} {name}" for number, name in zip(parts, _status_names(), strict=True))
    return charts.stacked_bar(f"row-{n}", f"{address}: {described}", parts, longest)


def _status_names() -> list[str]:
    return [TICKET_STATUS.label(status).lower() for status in _UNRESOLVED]


def heat_rows(hours: Sequence[Sequence[int]]) -> list[tuple[str, list[tuple[int, int]]]]:
    """Returns for each weekday the (number, level) pairs of its hours. A level above 0 is a shade of `HEAT_LEVELS`."""
    maximum = max(HEAT_LEVELS, *map(max, hours))
    return [
        (weekday, [(number, -(-number * HEAT_LEVELS // maximum)) for number in row])
        for weekday, row in zip(_WEEKDAYS, hours, strict=True)
    ]


def busiest_hour(hours: Sequence[Sequence[int]], local: LocalTime) -> str:
    """Describes the hour with the most new tickets."""
    number, day, hour = max((number, -day, -hour) for day, row in enumerate(hours) for hour, number in enumerate(row))
    if number < 2:
        return "No hour had more than one new ticket." if number else "No tickets arrived in these days."
    start, end = local.format_hour(-hour), local.format_hour((1 - hour) % 24)
    return f"Most tickets arrived on {_WEEKDAYS[-day]}s between {start} and {end}: {number:,} new tickets."


NAV_LINKS = (NavLink("Overview", "/activity/overview", "viewer", 10, parent="/activity"),)
PAGES = (PageRoute("GET", "/activity/overview", show_overview, "viewer", compress=True),)

"""`/activity/overview`: the overview; `/`: the inbox, or the setup of a new installation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from api.dashboard import charts, setup_progress
from api.dashboard.charts import ChartPoint
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.views.tickets import INBOX
from router.admin.installation.overview import MAX_COUNTED, Overview
from router.enumerations import TICKET_STATUS
from router.local_time import LocalTime

MAX_ROWS = 12


async def open_start_page(visit: Visit) -> Redirect:
    return Redirect("/set-up" if await setup_progress.needs_setup(visit) else INBOX)


async def show_overview(visit: Visit) -> HtmlPage:
    local = await visit.local_time()
    overview = await visit.services.overview.get(visit.actor, timezone=local.timezone)
    health = await visit.services.health.get(visit.actor)
    context = {
        "overview": overview,
        "health": health,
        "is_unreachable": await visit.services.reachability.is_unreachable(visit.actor),
        **_chart_context(overview, local),
    }
    return HtmlPage("home.html", "Overview", context)


def _chart_context(overview: Overview, local: LocalTime) -> dict[str, Any]:
    labels = [local.format_day(day.date) for day in overview.days]

    def points(counts: Iterable[int]) -> list[ChartPoint]:
        return [ChartPoint(label, count) for label, count in zip(labels, counts, strict=True)]

    top_aliases = overview.by_alias[:MAX_ROWS]
    other_counts = [
        total - sum(counts) for total, counts in zip(overview.now.counts, _status_columns(top_aliases), strict=True)
    ]
    rows: list[tuple[str, str, tuple[int, ...]]] = [
        (alias.address, alias.alias_id, alias.tickets.counts) for alias in top_aliases
    ]
    if any(count > 0 for count in other_counts):
        rows.append(("Other addresses", "", tuple(max(0, count) for count in other_counts)))
    longest = max((sum(counts) for _, _, counts in rows), default=0)
    return {
        "charts": [
            _chart("mails", "Messages", points(day.messages for day in overview.days)),
            _chart("tickets", "New tickets", points(day.tickets for day in overview.days)),
            _chart("dead", "Failed deliveries", points(day.dead for day in overview.days)),
        ],
        "patterns": charts.pattern_definitions(),
        "legend": [
            (charts.swatch(n), TICKET_STATUS.label(status))
            for n, status in enumerate(status for status in TICKET_STATUS.values if status != "resolved")
        ],
        "rows": [
            (address, alias_id, counts, charts.stacked_bar(f"row-{n}", _bar_title(address, counts), counts, longest))
            for n, (address, alias_id, counts) in enumerate(rows)
        ],
        "count_limit": MAX_COUNTED,
        "days": list(zip(labels, overview.days, strict=True)),
    }


def _status_columns(top_aliases: Any) -> list[tuple[int, ...]]:
    return list(zip(*(alias.tickets.counts for alias in top_aliases), strict=True)) or [(), (), ()]


def _chart(name: str, heading: str, points: list[ChartPoint]) -> dict[str, Any]:
    total = sum(point.value for point in points)
    peak = max(points, key=lambda point: point.value)
    title = f"{heading} per day: {total:,} in {len(points)} days"
    if peak.value:
        title += f", maximum {peak.value:,} on {peak.label}"
    return {"name": name, "heading": heading, "total": total, "svg": charts.column_chart(name, title, points)}


def _bar_title(address: str, counts: tuple[int, ...]) -> str:
    parts = (f"{count} {status}" for count, status in zip(counts, ("open", "in progress", "waiting"), strict=True))
    return f"{address}: {', '.join(parts)}"


NAV_LINKS = (NavLink("Overview", "/activity/overview", "viewer", 10, parent="/activity"),)
PAGES = (
    PageRoute("GET", "/", open_start_page, "viewer"),
    PageRoute("GET", "/activity/overview", show_overview, "viewer", compress=True),
)

"""`/activity/health`: database, delivery process, queue, failing integrations and domains with DNS problems."""

from __future__ import annotations

from typing import Literal, get_args

from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.installation.health import OLD_DELIVERY_AGE

Level = Literal["problem", "held", "ok"]

_ORDER: tuple[Level, ...] = get_args(Level)
HEALTH_PATH = "/activity/health"


async def show_health(visit: Visit) -> HtmlPage:
    await visit.services.ready()
    health = await visit.services.health.get(visit.actor)
    oldest = health.oldest_scheduled_at
    is_late = oldest is not None and visit.services.clock.now() - oldest > OLD_DELIVERY_AGE
    visit.services.attention.invalidate(visit.actor)
    counts = await visit.services.attention.get_counts(visit.actor)
    levels: dict[str, Level] = {
        "database": "ok",
        "deliverer": "ok" if health.deliverer_alive else "problem",
        "queue": "problem" if is_late else "held" if health.parked else "ok",
        "failed": "problem" if health.dead else "ok",
        "integrations": "problem" if health.failing else "ok",
        "replies": "problem" if counts.failed_replies or counts.smarthosts else "ok",
        "domains": "problem" if health.domains else "ok",
    }
    checks = sorted(levels.items(), key=lambda item: _ORDER.index(item[1]))
    held_counts = await visit.services.attention.count_parked(visit.actor) if health.failing else {}
    context = {"health": health, "checks": checks, "held_counts": held_counts, "counts": counts}
    return HtmlPage("health.html", "Health", context)


NAV_LINKS = (NavLink("Health", HEALTH_PATH, "viewer", 35, parent="/activity"),)
PAGES = (PageRoute("GET", HEALTH_PATH, show_health, "viewer", compress=True),)

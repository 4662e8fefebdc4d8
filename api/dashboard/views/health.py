"""`/activity/health`: database, delivery process, queue, failing integrations and domains with DNS problems."""

from __future__ import annotations

from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit
from router.admin.installation.health import OLD_DELIVERY_AGE

HEALTH_PATH = "/activity/health"


async def show_health(visit: Visit) -> HtmlPage:
    await visit.services.ready()
    health = await visit.services.health.get(visit.actor)
    oldest = health.oldest_at
    old = oldest is not None and visit.services.clock.now() - oldest > OLD_DELIVERY_AGE
    return HtmlPage("health.html", "Health", {"health": health, "old": old})


NAV_LINKS = (NavLink("Health", HEALTH_PATH, "viewer", 34, parent="/activity"),)
PAGES = (PageRoute("GET", HEALTH_PATH, show_health, "viewer", compress=True),)

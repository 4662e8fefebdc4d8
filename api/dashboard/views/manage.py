"""`/manage`: redirects to its first tab."""

from __future__ import annotations

from api.dashboard.page import NavLink, PageRoute, Redirect, Visit


async def redirect_to_first_tab(_: Visit) -> Redirect:
    return Redirect("/manage/workspace")


NAV_LINKS = (NavLink("Settings", "/manage", "viewer", 60, icon="settings", key="s"),)
PAGES = (PageRoute("GET", "/manage", redirect_to_first_tab, "viewer"),)

"""`/manage`: the list of the settings."""

from __future__ import annotations

from api.dashboard.page import HtmlPage, NavLink, PageRoute, Visit


async def show_settings(_: Visit) -> HtmlPage:
    return HtmlPage("settings.html", "Settings")


NAV_LINKS = (NavLink("Settings", "/manage", "viewer", 60, icon="settings", key="s"),)
PAGES = (PageRoute("GET", "/manage", show_settings, "viewer", compress=True),)

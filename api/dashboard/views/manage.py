"""`/manage`: the way to what is set up, and by whom."""

from __future__ import annotations

from api.dashboard.page import Nav, Page, See, Visit


async def first(_: Visit) -> See:
    return See("/manage/domains")


NAV = (Nav("Manage", "/manage", "viewer", 60),)
PAGES = (Page("GET", "/manage", first, "viewer"),)

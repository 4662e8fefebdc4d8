"""`/`: where everybody begins."""

from __future__ import annotations

from api.dashboard.page import Page, See, Visit


async def home(_: Visit) -> See:
    return See("/tickets/unassigned")


PAGES = (Page("GET", "/", home, "viewer"),)

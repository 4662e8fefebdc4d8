"""`/`: the inbox, or the setup of a new installation."""

from __future__ import annotations

from api.dashboard import setup_progress
from api.dashboard.page import PageRoute, Redirect, Visit
from api.dashboard.views.tickets import INBOX


async def open_start_page(visit: Visit) -> Redirect:
    return Redirect("/set-up" if await setup_progress.needs_setup(visit) else INBOX)


PAGES = (PageRoute("GET", "/", open_start_page, "viewer"),)

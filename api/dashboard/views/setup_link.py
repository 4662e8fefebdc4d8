"""`/welcome`: the setup link, with which the first admin chooses an email address and a password."""

from __future__ import annotations

from aiohttp import web

from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.views.sign_in import start_session


async def show_setup_link(visit: Visit) -> HtmlPage:
    token = visit.form.get("token") or visit.query.get("token", "")
    user = await visit.services.setup_link.find_user(token, address=visit.client_address)
    return HtmlPage("setup_link.html", "Welcome", {"user": user, "token": token})


async def create_account(visit: Visit) -> web.StreamResponse:
    """Saves the admin's email address, name and password, invalidates the link and signs the admin in."""
    user = await visit.services.setup_link.complete(
        visit.form.get("token", ""),
        email=visit.form.get("email", ""),
        name=visit.form.get("name", "").strip(),
        password=visit.form.get("password", ""),
        address=visit.client_address,
    )
    new = await visit.services.sessions.start(user, address=visit.client_address)
    return await start_session(visit, new, Redirect("/set-up", flash="welcome"))


FLASH_MESSAGES = {"welcome": "Welcome! You are the first admin of this installation."}
PAGES = (
    PageRoute("GET", "/welcome", show_setup_link, None),
    PageRoute("POST", "/welcome", create_account, None, form_view=show_setup_link),
)

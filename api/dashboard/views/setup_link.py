"""The first page of an installation, behind the link that `serve` prints: choose an address and a password."""

from __future__ import annotations

from aiohttp import web

from api.dashboard.page import Html, Page, See, Visit
from api.dashboard.views.sign_in import enter


async def show(visit: Visit) -> Html:
    token = visit.form.get("token") or visit.query.get("token", "")
    user = await visit.services.setup_link.find_user(token, address=visit.address)
    return Html("setup_link.html", "Welcome", {"user": user, "token": token})


async def begin(visit: Visit) -> web.StreamResponse:
    """The link is used up by this; who used it is signed in."""
    user = await visit.services.setup_link.complete(
        visit.form.get("token", ""),
        email=visit.form.get("email", ""),
        name=visit.form.get("name", "").strip(),
        password=visit.form.get("password", ""),
        address=visit.address,
    )
    new = await visit.services.sessions.start(user, address=visit.address)
    return await enter(visit, new, See("/set-up", note="welcome"))


NOTES = {"welcome": "Welcome! You are the first admin of this installation."}
PAGES = (
    Page("GET", "/welcome", show, None),
    Page("POST", "/welcome", begin, None, again=show),
)

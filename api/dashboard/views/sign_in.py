"""Signing in and out."""

from __future__ import annotations

from aiohttp import web

from api.dashboard import local
from api.dashboard.page import Html, Page, See, Visit
from api.dashboard.serving import see
from api.session_cookie import SESSION_COOKIE
from router.admin.access.sessions import LIFETIME, NewSession


async def show(visit: Visit) -> Html:
    """Also the way back for who was sent here."""
    wanted = local.path(visit.form.get("next") or visit.query.get("next"))
    return Html("sign_in.html", "Sign in", {"next": "" if wanted == local.HOME else wanted})


async def sign_in(visit: Visit) -> web.StreamResponse:
    new = await visit.services.sessions.login(
        visit.form.get("email", ""), visit.form.get("password", ""), address=visit.address
    )
    return await enter(visit, new, See(local.path(visit.form.get("next"))))


async def sign_out(visit: Visit) -> web.StreamResponse:
    """Also without a session: then there is nothing to end."""
    cookie = visit.request.app[SESSION_COOKIE]
    token = cookie.get(visit.request)
    if token:
        await visit.services.sessions.logout(token)
    response = see(See("/sign-in", note="signed-out"))
    cookie.remove(visit.request, response)
    return response


async def enter(visit: Visit, new: NewSession, to: See) -> web.StreamResponse:
    """Goes there with the new session; one that this browser had before is over."""
    cookie = visit.request.app[SESSION_COOKIE]
    before = cookie.get(visit.request)
    if before:
        await visit.services.sessions.logout(before)
    response = see(to)
    cookie.put(visit.request, response, new.token, LIFETIME // 1_000_000)
    return response


NOTES = {"signed-out": "You are signed out."}
PAGES = (
    Page("GET", "/sign-in", show, None),
    Page("POST", "/sign-in", sign_in, None, again=show),
    Page("POST", "/sign-out", sign_out, None),
)

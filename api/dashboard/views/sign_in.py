"""Signing in and out."""

from __future__ import annotations

from aiohttp import web

from api.cookies import COOKIES
from api.dashboard import redirects
from api.dashboard.page import Html, Page, See, Visit
from api.dashboard.serving import redirect
from router.admin.access.sessions import NewSession


async def show(visit: Visit) -> Html:
    """Also the way back for who was sent here."""
    wanted = redirects.local_path(visit.form.get("next") or visit.query.get("next"))
    return Html("sign_in.html", "Sign in", {"next": "" if wanted == redirects.HOME else wanted})


async def sign_in(visit: Visit) -> web.StreamResponse:
    new = await visit.services.sessions.sign_in(
        visit.form.get("email", ""),
        visit.form.get("password", ""),
        address=visit.address,
        device=visit.request.app[COOKIES].device_token(visit.request),
    )
    return await enter(visit, new, See(redirects.local_path(visit.form.get("next"))))


async def sign_out(visit: Visit) -> web.StreamResponse:
    """Also without a session: then there is nothing to end."""
    cookies = visit.request.app[COOKIES]
    token = cookies.session_token(visit.request)
    if token:
        await visit.services.sessions.sign_out(token)
    response = redirect(See("/sign-in", note="signed-out"))
    cookies.remove_session(visit.request, response)
    return response


async def enter(visit: Visit, new: NewSession, to: See) -> web.StreamResponse:
    """Goes there with the new session; one that this browser had before is over."""
    cookies = visit.request.app[COOKIES]
    before = cookies.session_token(visit.request)
    if before:
        await visit.services.sessions.sign_out(before)
    response = redirect(to)
    cookies.set_session(visit.request, response, new)
    return response


NOTES = {"signed-out": "You are signed out."}
PAGES = (
    Page("GET", "/sign-in", show, None),
    Page("POST", "/sign-in", sign_in, None, again=show),
    Page("POST", "/sign-out", sign_out, None),
)

"""`/sign-in` and `/sign-out`."""

from __future__ import annotations

from aiohttp import web

from api.cookies import COOKIES
from api.dashboard import redirects
from api.dashboard.page import HtmlPage, PageRoute, Redirect, Visit
from api.dashboard.serving import redirect_response
from router.admin.access.sessions import NewSession


async def show_sign_in(visit: Visit) -> HtmlPage:
    next_path = redirects.local_path(visit.form.get("next") or visit.query.get("next"))
    return HtmlPage("sign_in.html", "Sign in", {"next": "" if next_path == redirects.HOME else next_path})


async def sign_in(visit: Visit) -> web.StreamResponse:
    new = await visit.services.sessions.sign_in(
        visit.form.get("email", ""),
        visit.form.get("password", ""),
        address=visit.client_address,
        device=visit.request.app[COOKIES].device_token(visit.request),
    )
    return await start_session(visit, new, Redirect(redirects.local_path(visit.form.get("next"))))


async def sign_out(visit: Visit) -> web.StreamResponse:
    cookies = visit.request.app[COOKIES]
    token = cookies.session_token(visit.request)
    if token:
        await visit.services.sessions.sign_out(token)
    response = redirect_response(Redirect("/sign-in", flash="signed-out"))
    cookies.remove_session(visit.request, response)
    return response


async def start_session(visit: Visit, new: NewSession, target: Redirect) -> web.StreamResponse:
    cookies = visit.request.app[COOKIES]
    previous_token = cookies.session_token(visit.request)
    if previous_token:
        await visit.services.sessions.sign_out(previous_token)
    response = redirect_response(target)
    cookies.set_session(visit.request, response, new)
    return response


FLASH_MESSAGES = {"signed-out": "You are signed out."}
PAGES = (
    PageRoute("GET", "/sign-in", show_sign_in, None),
    PageRoute("POST", "/sign-in", sign_in, None, form_view=show_sign_in),
    PageRoute("POST", "/sign-out", sign_out, None),
)

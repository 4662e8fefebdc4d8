"""`/account`: the user's own name, time zone, password and sessions."""

from __future__ import annotations

from aiohttp import web

from api.cookies import COOKIES
from api.dashboard import timezones
from api.dashboard.page import HtmlPage, NavLink, PageRoute, Redirect, Visit
from api.dashboard.serving import redirect_response
from router.errors import Refused


async def show_account(visit: Visit) -> HtmlPage:
    sessions = await visit.services.sessions.list(visit.actor)
    me = await visit.services.sessions.get_identity(visit.actor)
    if me.user is None or me.workspace is None:
        raise Refused("unauthorized", "Your account was removed")
    context = {
        "sessions": sessions,
        "current_session_id": _session_id(visit),
        "timezones": timezones.timezone_options(me.user, me.workspace),
    }
    return HtmlPage("account.html", "Your account", context)


async def change_profile(visit: Visit) -> Redirect:
    """Changes the user's own name and time zone, which needs no admin role."""
    await visit.services.users.change(
        visit.actor,
        visit.actor.user_id or "",
        name=visit.form["name"].strip() if "name" in visit.form else None,
        **timezones.timezone_change(visit.form),
    )
    return Redirect("/account", flash="profile-changed")


async def change_password(visit: Visit) -> web.StreamResponse:
    device = await visit.services.sessions.change_password(
        visit.actor,
        current=visit.form.get("currentPassword", ""),
        new=visit.form.get("password", ""),
        keep_session_id=_session_id(visit),
    )
    response = redirect_response(Redirect("/account", flash="password-changed"))
    visit.request.app[COOKIES].set_device(visit.request, response, device)
    return response


async def end_session(visit: Visit) -> Redirect:
    await visit.services.sessions.end(visit.actor, visit.path_params["id"])
    return Redirect("/account", flash="session-ended")


def _session_id(visit: Visit) -> str:
    return visit.caller.session_id if visit.caller is not None else ""


NAV_LINKS = (
    NavLink(
        "Your account", "/account", "viewer", 95, parent="/manage", hint="Your name, password, time zone and sessions"
    ),
)
FLASH_MESSAGES = {
    "password-changed": "Password changed. All other sessions were ended.",
    "profile-changed": "Profile saved.",
    "session-ended": "Session ended.",
}
PAGES = (
    PageRoute("GET", "/account", show_account, "viewer"),
    PageRoute("POST", "/account", change_profile, "viewer", form_view=show_account),
    PageRoute("POST", "/account/password", change_password, "viewer", form_view=show_account),
    PageRoute("POST", "/account/sessions/{id}/end", end_session, "viewer"),
)

"""One's own account: the time zone, the password, and where one is signed in."""

from __future__ import annotations

from aiohttp import web

from api.cookies import COOKIES
from api.dashboard import timezones
from api.dashboard.page import Html, Page, See, Visit
from api.dashboard.serving import redirect
from router.errors import Refused


async def show(visit: Visit) -> Html:
    sessions = await visit.services.sessions.list(visit.actor)
    me = await visit.services.sessions.get_identity(visit.actor)
    if me.user is None or me.workspace is None:
        raise Refused("unauthorized", "Your account was removed")
    context = {"sessions": sessions, "here_id": _own(visit), "timezones": timezones.options(me.user, me.workspace)}
    return Html("account.html", "Your account", context)


async def change_timezone(visit: Visit) -> See:
    """Of the user alone, who needs no right to change users for it."""
    await visit.services.users.change(visit.actor, visit.actor.user_id or "", **timezones.change(visit.form))
    return See("/account", note="timezone-changed")


async def change_password(visit: Visit) -> web.StreamResponse:
    """Ends all other sessions."""
    device = await visit.services.sessions.change_password(
        visit.actor,
        current=visit.form.get("currentPassword", ""),
        new=visit.form.get("password", ""),
        keep_session_id=_own(visit),
    )
    response = redirect(See("/account", note="password-changed"))
    visit.request.app[COOKIES].set_device(visit.request, response, device)
    return response


async def end_session(visit: Visit) -> See:
    await visit.services.sessions.end(visit.actor, visit.ids["id"])
    return See("/account", note="session-ended")


def _own(visit: Visit) -> str:
    return visit.caller.session_id if visit.caller is not None else ""


NOTES = {
    "password-changed": "Password changed. All other sessions were ended.",
    "timezone-changed": "Time zone changed.",
    "session-ended": "Session ended.",
}
PAGES = (
    Page("GET", "/account", show, "viewer"),
    Page("POST", "/account/timezone", change_timezone, "viewer", again=show),
    Page("POST", "/account/password", change_password, "viewer", again=show),
    Page("POST", "/account/sessions/{id}/end", end_session, "viewer"),
)

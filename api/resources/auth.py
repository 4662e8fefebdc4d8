"""Signing in and out, and who one is."""

from __future__ import annotations

from aiohttp import web

from api import answers
from api.route import Call, Route
from api.schema.people import Login, MeAnswer
from api.schema.shape import Empty, NoQuery
from api.session_cookie import SESSION_COOKIE
from router.admin.sessions import LIFETIME
from router.model import Actor


async def login(call: Call[Login, NoQuery]) -> web.StreamResponse:
    """The session is in the cookie alone: scripts cannot read it, other sites cannot send it."""
    sessions = call.services.sessions
    new = await sessions.login(call.body.email, call.body.password, address=call.address)
    me = await sessions.me(Actor(new.user.workspace_id, new.user.role, user_id=new.user.id))
    response = answers.json(MeAnswer.of(me))
    call.request.app[SESSION_COOKIE].put(call.request, response, new.token, LIFETIME // 1_000_000)
    return response


async def logout(call: Call[Empty, NoQuery]) -> web.StreamResponse:
    """Also without a session: then there is nothing to end."""
    cookie = call.request.app[SESSION_COOKIE]
    token = cookie.get(call.request)
    if token:
        await call.services.sessions.logout(token)
    response = web.Response(status=204)
    cookie.remove(call.request, response)
    return response


async def me(call: Call[Empty, NoQuery]) -> MeAnswer:
    return MeAnswer.of(await call.services.sessions.me(call.actor))


ROUTES = (
    Route(
        "POST",
        "/auth/login",
        login,
        "Sign in; the session is in the cookie that this sets",
        None,
        MeAnswer,
        body=Login,
        errors=("unauthorized", "forbidden", "rate_limited"),
    ),
    Route("POST", "/auth/logout", logout, "End the session of the cookie", None, status=204, errors=("forbidden",)),
    Route("GET", "/auth/me", me, "Who this key or session is", "viewer", MeAnswer),
)

"""API calls for signing in and out, for sessions, and for the password of the authenticated user."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from api import responses
from api.cookies import COOKIES
from api.route import Call, Route
from api.schema.accounts import Login, MeAnswer, PasswordChange, SessionAnswer, SessionList
from api.schema.shape import EmptyBody, NoQuery
from router.model import Actor


async def login(call: Call[Login, NoQuery]) -> web.StreamResponse:
    """Returns the session token only in a cookie, which scripts cannot read.

    A request from another site contains the session cookie only in a top-level navigation (`SameSite=Lax`).
    """
    sessions = call.services.sessions
    cookies = call.request.app[COOKIES]
    device = cookies.device_token(call.request)
    session = await sessions.sign_in(call.body.email, call.body.password, address=call.address, device=device)
    identity = await sessions.get_identity(Actor(session.user.workspace_id, session.user.role, user_id=session.user.id))
    response = responses.json(MeAnswer.from_identity(identity))
    cookies.set_session(call.request, response, session)
    return response


async def logout(call: Call[EmptyBody, NoQuery]) -> web.StreamResponse:
    """Ends the session. Succeeds without a session too."""
    cookies = call.request.app[COOKIES]
    token = cookies.session_token(call.request)
    if token:
        await call.services.sessions.sign_out(token)
    response = web.Response(status=204)
    cookies.remove_session(call.request, response)
    return response


async def show_identity(call: Call[EmptyBody, NoQuery]) -> MeAnswer:
    return MeAnswer.from_identity(await call.services.sessions.get_identity(call.actor))


async def list_sessions(call: Call[EmptyBody, NoQuery]) -> SessionList:
    sessions = await call.services.sessions.list(call.actor)
    current_id = _session_id(call)
    return SessionList(
        sessions=[SessionAnswer.from_model(session, current=session.id == current_id) for session in sessions]
    )


async def end_session(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.sessions.end(call.actor, call.ids["id"])


async def change_password(call: Call[PasswordChange, NoQuery]) -> web.StreamResponse:
    body = call.body
    device = await call.services.sessions.change_password(
        call.actor, current=body.current_password, new=body.password, keep_session_id=_session_id(call)
    )
    response = web.Response(status=204)
    call.request.app[COOKIES].set_device(call.request, response, device)
    return response


def _session_id(call: Call[Any, NoQuery]) -> str:
    return call.caller.session_id if call.caller is not None else ""


ROUTES = (
    Route(
        "POST",
        "/auth/login",
        "signIn",
        login,
        "Sign in",
        None,
        MeAnswer,
        body=Login,
        errors=("unauthorized", "forbidden", "rate_limited"),
    ),
    Route(
        "POST",
        "/auth/logout",
        "signOut",
        logout,
        "Sign out",
        None,
        status=204,
        errors=("forbidden",),
    ),
    Route(
        "GET",
        "/auth/sessions",
        "listSessions",
        list_sessions,
        "List your sessions",
        "viewer",
        SessionList,
    ),
    Route(
        "DELETE",
        "/auth/sessions/{id}",
        "endSession",
        end_session,
        "End one of your sessions",
        "viewer",
        status=204,
    ),
    Route(
        "POST",
        "/auth/password",
        "changePassword",
        change_password,
        "Change your password",
        "viewer",
        body=PasswordChange,
        status=204,
        errors=("rate_limited",),
    ),
    Route(
        "GET",
        "/auth/me",
        "getCurrentUser",
        show_identity,
        "Get the authenticated user",
        "viewer",
        MeAnswer,
    ),
)

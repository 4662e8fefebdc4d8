"""The link that signs the reader of the demo in. It works any number of times, as long as the demo runs.

The demo serves it itself, at 127.0.0.1 and on another port than the dashboard: no code of the API or of the dashboard
knows it, so no other command can serve it. Cookies do not depend on the port (RFC 6265 section 8.5), so the session
also applies to the dashboard.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass

from aiohttp import web

from api.cookies import Cookies
from router.model import Actor
from router.network import is_loopback
from router.services import Services

PATH = "/sign-in"


@dataclass(frozen=True, slots=True)
class SignInTarget:
    """Who is signed in, and the URL of the page to show then."""

    services: Services
    actor: Actor
    page: str


class SignInLink:
    """The handler of the link. Answers 404 until `target` is set, and to a wrong token."""

    def __init__(self) -> None:
        self.target: SignInTarget | None = None
        self._token = secrets.token_urlsafe(32)

    def url(self, base: str) -> str:
        return f"{base}{PATH}?token={self._token}"

    async def follow(self, request: web.Request) -> web.StreamResponse:
        """Starts a session. Accepts only requests from this machine, to the address that the link has."""
        is_local = is_loopback(request.remote or "") and is_loopback(request.url.host or "")
        is_valid = hmac.compare_digest(request.query.get("token", "").encode(), self._token.encode())
        target = self.target
        if target is None or not is_local or not is_valid:
            raise web.HTTPNotFound
        user = await target.services.users.get(target.actor, target.actor.user_id or "")
        session = await target.services.sessions.start(user, address=request.remote or "")
        headers = {"Location": target.page, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        response = web.Response(status=303, headers=headers)
        Cookies(target.page, ()).set_session(request, response, session)
        return response

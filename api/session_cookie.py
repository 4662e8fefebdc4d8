"""The cookie of a session: read, set and removed in one place."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from api.middleware.addresses import by_https
from config.values import Network

NAME = "er_session"


class SessionCookie:
    """secure: people reach us by https (`[server] public_url`); then it is never sent in clear, not even once."""

    def __init__(self, *, secure: bool, trusted_proxies: Sequence[Network]) -> None:
        self._secure = secure
        self._trusted = trusted_proxies

    def get(self, request: web.Request) -> str | None:
        """The token that the client sent."""
        return request.cookies.get(NAME)

    def put(self, request: web.Request, response: web.Response, token: str, seconds: int) -> None:
        """Not for scripts, not from other sites; `Lax` so that a link in Slack opens signed in."""
        response.set_cookie(
            NAME,
            token,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._secure or by_https(request, self._trusted),
        )

    def remove(self, request: web.Request, response: web.Response) -> None:
        """Ends it in the browser."""
        response.del_cookie(
            NAME, path="/", httponly=True, samesite="Lax", secure=self._secure or by_https(request, self._trusted)
        )


SESSION_COOKIE = web.AppKey("session_cookie", SessionCookie)

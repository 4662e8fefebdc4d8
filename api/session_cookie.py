"""The cookie of a session: read, set and removed in one place."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from api.middleware.addresses import by_https
from config.values import Network

_NAME = "er_session"


def cookie_name(public_url: str) -> str:
    """The name of the session cookie.

    Where people use https it has the prefix `__Host-` (RFC 6265bis section 4.1.3.2): browsers take such a cookie only
    by https, from this host and for all its paths, so no other host and no page in plain HTTP can set it.
    """
    return f"__Host-{_NAME}" if public_url.startswith("https://") else _NAME


class SessionCookie:
    """public_url: `[server] public_url`. With https the cookie is never sent in clear, not even once."""

    def __init__(self, public_url: str, trusted_proxies: Sequence[Network]) -> None:
        self.name = cookie_name(public_url)
        self._secure = public_url.startswith("https://")
        self._trusted = trusted_proxies

    def get(self, request: web.Request) -> str | None:
        """The token that the client sent."""
        return request.cookies.get(self.name)

    def put(self, request: web.Request, response: web.Response, token: str, seconds: int) -> None:
        """Not for scripts, not from other sites; `Lax` so that a link in Slack opens signed in."""
        response.set_cookie(
            self.name,
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
            self.name, path="/", httponly=True, samesite="Lax", secure=self._secure or by_https(request, self._trusted)
        )


SESSION_COOKIE = web.AppKey("session_cookie", SessionCookie)

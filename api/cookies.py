"""The cookies of a session and of a known device: read, set and removed in one place."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from api.middleware.addresses import is_https
from config.values import Network
from router.admin.access import devices, sessions
from router.admin.access.sessions import NewSession
from router.clock import SECOND

_SESSION = "er_session"
_DEVICE = "er_device"


def cookie_name(public_url: str) -> str:
    """The name of the session cookie."""
    return f"{_prefix(public_url)}{_SESSION}"


def _prefix(public_url: str) -> str:
    """`__Host-` where people use https (RFC 6265bis section 4.1.3.2).

    Browsers take such a cookie only by https, from this host and for all its paths. So no other host of the domain and
    no page in plain HTTP can set it.
    """
    return "__Host-" if public_url.startswith("https://") else ""


class Cookies:
    """public_url: `[server] public_url`. With https no cookie is ever sent in clear, not even once."""

    def __init__(self, public_url: str, trusted_proxies: Sequence[Network]) -> None:
        self._session = cookie_name(public_url)
        self._device = f"{_prefix(public_url)}{_DEVICE}"
        self._secure = public_url.startswith("https://")
        self._trusted = trusted_proxies

    def session_token(self, request: web.Request) -> str | None:
        """The token of the session that the client has."""
        return request.cookies.get(self._session)

    def device_token(self, request: web.Request) -> str:
        """What says that the client is a known device; `""` where nothing does."""
        return request.cookies.get(self._device, "")

    def set_session(self, request: web.Request, response: web.StreamResponse, new: NewSession) -> None:
        """A new session, on a device that is known from now on."""
        self._set(request, response, self._session, new.token, sessions.SESSION_LIFETIME // SECOND)
        self.set_device(request, response, new.device_cookie)

    def set_device(self, request: web.Request, response: web.StreamResponse, device: str) -> None:
        """It stays when its user signs out."""
        self._set(request, response, self._device, device, devices.COOKIE_LIFETIME // SECOND)

    def remove_session(self, request: web.Request, response: web.StreamResponse) -> None:
        """Ends it in the browser."""
        self._set(request, response, self._session, "", 0)

    def _set(self, request: web.Request, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        """Not for scripts, not from other sites; `Lax` so that a link in Slack opens signed in."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="Lax",
            secure=self._secure or is_https(request, self._trusted),
        )


COOKIES = web.AppKey("cookies", Cookies)

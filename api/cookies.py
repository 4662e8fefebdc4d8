"""The session cookie and the device cookie."""

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
    return f"{_prefix(public_url)}{_SESSION}"


def _prefix(public_url: str) -> str:
    """`__Host-` with HTTPS, otherwise `""`.

    The prefix prevents other hosts and plain HTTP from setting the cookie (RFC 6265bis section 4.1.3.2).
    """
    return "__Host-" if public_url.startswith("https://") else ""


class Cookies:
    """Reads and sets the cookies. With an HTTPS `public_url` they are always `Secure`."""

    def __init__(self, public_url: str, trusted_proxies: Sequence[Network]) -> None:
        self._session = cookie_name(public_url)
        self._device = f"{_prefix(public_url)}{_DEVICE}"
        self._secure = public_url.startswith("https://")
        self._trusted = trusted_proxies

    def session_token(self, request: web.Request) -> str | None:
        return request.cookies.get(self._session)

    def device_token(self, request: web.Request) -> str:
        return request.cookies.get(self._device, "")

    def set_session(self, request: web.Request, response: web.StreamResponse, new: NewSession) -> None:
        self._set(request, response, self._session, new.token, sessions.SESSION_LIFETIME // SECOND)
        self.set_device(request, response, new.device_cookie)

    def set_device(self, request: web.Request, response: web.StreamResponse, device: str) -> None:
        """Sets the device cookie, which outlives the session."""
        self._set(request, response, self._device, device, devices.COOKIE_LIFETIME // SECOND)

    def remove_session(self, request: web.Request, response: web.StreamResponse) -> None:
        self._set(request, response, self._session, "", 0)

    def _set(self, request: web.Request, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        """Sets a cookie. With `SameSite=Strict`, users who follow a link in a chat would appear signed out."""
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

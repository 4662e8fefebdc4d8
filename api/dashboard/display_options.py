"""How dense lists are shown: a choice of the browser, kept in a cookie that has no secret."""

from __future__ import annotations

from typing import Literal

from aiohttp import web

Density = Literal["compact", "comfortable"]
COOKIE = "density"
COOKIE_SECONDS = 400 * 86400  # browsers keep a cookie for at most 400 days


def density(request: web.Request) -> Density:
    return _parse(request.cookies.get(COOKIE, ""))


def set_density(response: web.StreamResponse, value: str) -> None:
    """Sets the cookie. Another value than a `Density` selects `compact`."""
    response.set_cookie(COOKIE, _parse(value), max_age=COOKIE_SECONDS, path="/", httponly=True, samesite="Lax")


def _parse(value: str) -> Density:
    return "comfortable" if value == "comfortable" else "compact"

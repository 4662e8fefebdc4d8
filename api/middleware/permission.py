"""Authorises requests by role and protects sessions against cross-site request forgery.

State-changing requests of a session must come from the dashboard's own pages (`Sec-Fetch-Site`, `Origin`). The same
applies to signing in and out, so that no other site can sign a user in. A request with neither field is accepted:
programs other than browsers usually send neither.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from api.request_keys import CALLER
from router.enumerations import ROLE
from router.errors import Refused

_SAFE_METHODS = frozenset({"GET", "HEAD"})


def permission(public_url: str) -> Middleware:
    origin = url_origin(public_url)

    @web.middleware
    async def permit(request: web.Request, handler: Handler) -> web.StreamResponse:
        declaration = find_declaration(request)
        if declaration is None:
            return await handler(request)
        caller = request.get(CALLER)
        is_from_browser = caller is None or caller.is_session
        if request.method not in _SAFE_METHODS and is_from_browser and not is_from_own_page(request, origin):
            raise Refused("forbidden", "Cross-site request rejected")
        required_role = declaration.role
        if (
            caller is not None
            and required_role is not None
            and ROLE.values.index(caller.actor.role) > ROLE.values.index(required_role)
        ):
            raise Refused("forbidden", f"Requires the role {required_role}; your role is {caller.actor.role}")
        return await handler(request)

    return permit


def url_origin(public_url: str) -> str:
    """The scheme, host and port of a URL, in the form of an origin."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}"


def is_from_own_page(request: web.Request, origin: str) -> bool:
    """Returns False if the header fields name another origin as the source of the request."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin_header = request.headers.get("Origin")
    return origin_header is None or origin_header == origin or _origin_host(origin_header) == request.host


def _origin_host(origin: str) -> str:
    """Host and port of an Origin; `""` for `null` and malformed values."""
    if not origin.isascii():  # no browser sends it, and `urlsplit` would normalise it
        return ""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""

"""Whether this caller may make this call at all: by their role, and from where their browser was told to make it.

A session's request that changes something must come from our own pages: browsers say so in `Sec-Fetch-Site`, older
ones in `Origin`; what says neither is no browser, and has no cookie that somebody else could ride on. Signing in and
out is asked the same: nobody may sign somebody else in. Comes after the rate limit: what is forbidden counts too.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from api.request_keys import CALLER
from router.admin.access.users import ROLES
from router.errors import Refused

_SAFE_METHODS = frozenset({"GET", "HEAD"})


def permission(public_url: str) -> Middleware:
    """The middleware. public_url: where our own pages are."""
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
            and ROLES.index(caller.actor.role) > ROLES.index(required_role)
        ):
            raise Refused("forbidden", f"Requires the role {required_role}; your role is {caller.actor.role}")
        return await handler(request)

    return permit


def url_origin(public_url: str) -> str:
    """The origin of our own pages, as browsers write it."""
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}"


def is_from_own_page(request: web.Request, origin: str) -> bool:
    """False for a request that another site made a browser send."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin_header = request.headers.get("Origin")
    return origin_header is None or origin_header == origin or _origin_host(origin_header) == request.host


def _origin_host(origin: str) -> str:
    """The host and port of an Origin; `""` where it has none (`null`) or cannot be read."""
    if not origin.isascii():  # no browser sends such an Origin, and `urlsplit` would normalise it
        return ""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return ""

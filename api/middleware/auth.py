"""Who asks, and whether their role may call this route at all.

A key in `Authorization: Bearer`, else the session's cookie. A session's request that changes something must come
from our own pages: browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; what says neither is no browser, and
has no cookie that somebody else could ride on. Failures are throttled by address; valid keys never are.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api import session_cookie
from api.endpoint import endpoint_of
from api.middleware.addresses import client_address
from api.request_keys import ADDRESS, CALLER
from config.values import Network
from router.admin.attempts import Attempts, network_of
from router.admin.authentication import Authentication, Caller
from router.admin.rate_window import Limit
from router.admin.users import ROLES
from router.clock import Clock
from router.errors import Refused

FAILURES = Limit(requests=100, seconds=60)
_MAX_CREDENTIAL = 200
_SAFE = frozenset({"GET", "HEAD"})


def auth(
    authentication: Authentication, clock: Clock, *, public_url: str, trusted_proxies: Sequence[Network]
) -> Middleware:
    """The middleware; it remembers the failures of each address."""
    attempts = Attempts(clock, FAILURES)
    origin = _origin(public_url)

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ADDRESS] = client_address(request, trusted_proxies)
        endpoint = endpoint_of(request)
        if endpoint is None:
            return await handler(request)
        role = endpoint.route.role
        if role is None:
            if request.method not in _SAFE:
                _check_origin(request, origin)  # nobody may sign somebody else in, either
            return await handler(request)
        try:
            caller = await _caller(request, authentication)
        except Refused:
            place = network_of(request[ADDRESS])
            attempts.check(place)
            attempts.failed(place)
            raise
        if caller.by_session and request.method not in _SAFE:
            _check_origin(request, origin)
        request[CALLER] = caller
        if ROLES.index(caller.actor.role) > ROLES.index(role):
            raise Refused("forbidden", f"This needs the role {role}; yours is {caller.actor.role}")
        return await handler(request)

    return authenticate


async def _caller(request: web.Request, authentication: Authentication) -> Caller:
    given = request.headers.get("Authorization")
    if given is not None:
        scheme, _, credential = given.partition(" ")
        if scheme.lower() != "bearer" or not 1 <= len(credential.strip()) <= _MAX_CREDENTIAL:
            raise Refused("unauthorized", "Authorization must be: Bearer and an API key")
        return await authentication.by_key(credential.strip(), address=request[ADDRESS])
    cookie = request.cookies.get(session_cookie.NAME)
    if cookie and len(cookie) <= _MAX_CREDENTIAL:
        return await authentication.by_session(cookie, address=request[ADDRESS])
    raise Refused("unauthorized", "An API key is needed: Authorization: Bearer er_...")


def _check_origin(request: web.Request, origin: str) -> None:
    """Raises `Refused` for a request that another site made a browser send."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site in ("same-origin", "none"):
            return
    else:
        said = request.headers.get("Origin")
        if said is None or said == origin or urlsplit(said).netloc == request.host:
            return
    raise Refused("forbidden", "This request was made by a page of another site")


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"

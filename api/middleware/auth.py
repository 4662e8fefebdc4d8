"""Authenticates requests by an API key, else by the session cookie.

Throttles failures per address, never requests with valid credentials.
"""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.cookies import COOKIES
from api.declaration import find_declaration
from api.middleware.addresses import client_address
from api.request_keys import ADDRESS, CALLER
from config.values import Network
from router.admin.access.authentication import AuthenticationService, Caller
from router.clock import Clock
from router.errors import Refused
from router.network import address_key
from router.ratelimit.failure_throttle import FailureThrottle
from router.ratelimit.sliding_window import RateLimit

# Failures of a client address beyond this limit are answered with 429. Keys cannot be guessed, so the limit is high.
FAILURES = RateLimit(requests=1000, seconds=60)
_MAX_CREDENTIAL = 200


def auth(authentication: AuthenticationService, clock: Clock, trusted_proxies: Sequence[Network]) -> Middleware:
    """Builds the middleware, which counts the failures in memory."""
    attempts = FailureThrottle(clock, FAILURES)

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        request[ADDRESS] = client_address(request, trusted_proxies)
        declaration = find_declaration(request)
        if declaration is None or declaration.role is None:
            return await handler(request)
        try:
            request[CALLER] = await _authenticate(request, authentication)
        except Refused:
            key = address_key(request[ADDRESS])
            attempts.check(key)
            attempts.record_failure(key)
            raise
        return await handler(request)

    return authenticate


async def _authenticate(request: web.Request, authentication: AuthenticationService) -> Caller:
    header = request.headers.get("Authorization")
    if header is not None:
        scheme, _, credential = header.partition(" ")
        if scheme.lower() != "bearer" or not 1 <= len(credential.strip()) <= _MAX_CREDENTIAL:
            raise Refused("unauthorized", "Authorization must be Bearer followed by an API key")
        return await authentication.authenticate_key(credential.strip(), address=request[ADDRESS])
    cookie = request.app[COOKIES].session_token(request)
    if cookie and len(cookie) <= _MAX_CREDENTIAL:
        return await authentication.authenticate_session(cookie, address=request[ADDRESS])
    raise Refused("unauthorized", "Authentication required: send an API key as Authorization: Bearer er_...")

"""Counts and times requests by route and status class.

This is the outermost middleware, so it sees the final responses. The route label is the registered path pattern, so
the number of label values is bounded.
"""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from router.meter import Meter

_NONE = "none"


def request_metrics(meter: Meter) -> Middleware:

    @web.middleware
    async def record(request: web.Request, handler: Handler) -> web.StreamResponse:
        started = time.perf_counter()
        status = _NONE
        try:
            response = await handler(request)
            status = f"{response.status // 100}xx"
            return response
        except web.HTTPException as answer:
            status = f"{answer.status // 100}xx"
            raise
        finally:
            declaration = find_declaration(request)
            is_stream = declaration is not None and declaration.media
            seconds = None if is_stream else time.perf_counter() - started
            meter.record_request(*_route_labels(request), status, seconds)

    return record


def _route_labels(request: web.Request) -> tuple[str, str]:
    resource = request.match_info.route.resource
    if resource is None:
        return _NONE, _NONE
    pattern = resource.canonical
    return request.method, f"/api/{pattern[4:]}" if pattern.startswith("/v1/") else pattern

"""Every request is counted, by its route and the class of its answer, with the time it took.

The outermost, so that it sees the answers that people see. The route is the pattern it is registered under (`/v1` is
counted as `/api`), never the path that was asked for.
"""

from __future__ import annotations

import time

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from router.meter import Meter

_NONE = "none"


def request_metrics(meter: Meter) -> Middleware:
    """The middleware."""

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
            meter.requested(*_route_labels(request), status, seconds)

    return record


def _route_labels(request: web.Request) -> tuple[str, str]:
    """The method and the pattern of what the request went to."""
    resource = request.match_info.route.resource
    if resource is None:
        return _NONE, _NONE
    pattern = resource.canonical
    return request.method, f"/api/{pattern[4:]}" if pattern.startswith("/v1/") else pattern

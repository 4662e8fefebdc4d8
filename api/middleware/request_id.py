"""Assigns an id to every request, for the response and the log. A valid id from the client is kept."""

from __future__ import annotations

import re
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from api.middleware import headers
from api.request_keys import REQUEST_ID, TIME_LIMIT, VERDICT

HEADER = "X-Request-Id"
_VALID_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    given = request.headers.get(HEADER, "")
    request[REQUEST_ID] = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
    return await handler(request)


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """Sets the headers of every response just before it is sent, and ends the time limit of a streamed response."""
    assigned = request.get(REQUEST_ID)
    if assigned is not None:
        response.headers[HEADER] = assigned
    headers.set_headers(response)
    limit = request.get(TIME_LIMIT)
    if limit is not None:
        limit.reschedule(None)
    verdict = request.get(VERDICT)
    if verdict is not None:
        response.headers["X-RateLimit-Limit"] = str(verdict.limit)
        response.headers["X-RateLimit-Remaining"] = str(verdict.remaining)
        response.headers["X-RateLimit-Reset"] = str(verdict.reset)
        if not verdict.allowed:
            response.headers["Retry-After"] = str(verdict.retry_after)

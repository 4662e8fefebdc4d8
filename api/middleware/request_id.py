"""Every request has an id: in the answer's `X-Request-Id`, and in every line that is logged about it.

One that the client sends is kept if it looks like one.
"""

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
    """Names the request before anything else sees it."""
    given = request.headers.get(HEADER, "")
    request[REQUEST_ID] = given if _VALID_ID.fullmatch(given) else secrets.token_hex(8)
    return await handler(request)


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp: called for every answer right before it leaves, errors and streams alike."""
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

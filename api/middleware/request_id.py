"""Every request has an id: in the answer's `X-Request-Id`, and in every line that is logged about it.

One that the client sends is kept if it looks like one. Also here: the headers that every answer of ours has,
whoever made it (`dress`).
"""

from __future__ import annotations

import re
import secrets

from aiohttp import web
from aiohttp.typedefs import Handler

from api.request_keys import REQUEST_ID, TIME_LIMIT, VERDICT

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9._-]{1,64}")


@web.middleware
async def request_id(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Names the request before anything else sees it."""
    given = request.headers.get(HEADER, "")
    request[REQUEST_ID] = given if _GIVEN.fullmatch(given) else secrets.token_hex(8)
    return await handler(request)


async def on_prepare(request: web.Request, response: web.StreamResponse) -> None:
    """A signal of aiohttp: called for every answer right before it leaves, errors and streams alike."""
    found = request.get(REQUEST_ID)
    if found is not None:
        response.headers[HEADER] = found
    dress(response)
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


def dress(response: web.StreamResponse) -> None:
    """The headers of every answer, also of one to what is no request: kept by nobody, as it says it is, no versions."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Server"] = "EmailRouter"

"""No request takes longer than `[api] request_timeout`: a body that trickles in, a database that hangs.

Downloads are not bounded as a whole but piece by piece (`resources.messages`), since their length is not.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.served import declared_of


def time_limit(limit: timedelta) -> Middleware:
    """The middleware; what takes too long is answered 503."""

    @web.middleware
    async def bounded(request: web.Request, handler: Handler) -> web.StreamResponse:
        declared = declared_of(request)
        if declared is not None and declared.media:
            return await handler(request)
        async with asyncio.timeout(limit.total_seconds()):
            return await handler(request)

    return bounded

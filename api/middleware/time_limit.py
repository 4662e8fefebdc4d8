"""No request takes longer than `[api] request_timeout`: a body that trickles in, a database that hangs.

Streams and downloads are bounded so until their answer begins; then piece by piece (`resources.messages`), since their
length is not.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from api.request_keys import TIME_LIMIT

_OWN_MODULES = ("api.", "router.")


def time_limit(limit: timedelta) -> Middleware:
    """The middleware; what takes too long is answered 503."""

    @web.middleware
    async def limit_time(request: web.Request, handler: Handler) -> web.StreamResponse:
        declaration = find_declaration(request)
        async with asyncio.timeout(limit.total_seconds()) as timeout:
            if declaration is not None and declaration.media:
                request[TIME_LIMIT] = timeout
            try:
                return await handler(request)
            finally:
                request.pop(TIME_LIMIT, None)

    return limit_time


def innermost_call(error: TimeoutError) -> str:
    """What a request waited for when its time was over: the innermost function of ours, and the query it runs.

    Read from the cancellation's traceback, so that naming it costs a request in time nothing.
    """
    trace = error.__cause__.__traceback__ if error.__cause__ is not None else None
    call = ""
    while trace is not None:
        frame = trace.tb_frame
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_OWN_MODULES) and module != __name__:
            query = frame.f_locals.get("query")
            call = f"{module}.{frame.f_code.co_name}" + (f" {query}" if isinstance(query, str) else "")
        trace = trace.tb_next
    return call

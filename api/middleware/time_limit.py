"""Limits every request to `[api] request_timeout`, including slow bodies and a slow database.

For event streams and downloads the limit ends when the response starts.
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
    """Builds the middleware. The `errors` middleware answers a request that exceeds the limit with 503."""

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
    """The innermost function of this program that the request waited in, with the name of its database query, if any.

    Reads the traceback of the cancellation, so requests that finish in time have no overhead.
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

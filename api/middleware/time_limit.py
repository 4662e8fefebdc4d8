"""Limits every request to `[api] request_timeout`, including slow bodies and a slow database.

For event streams and downloads the limit ends when the response starts. While files arrive, it starts again after each
`UPLOAD_STEP` bytes, so that a large file may take longer over a slow connection.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from api.request_keys import TIME_LIMIT, TIME_LIMIT_SECONDS

UPLOAD_STEP = 64 * 1024
_OWN_MODULES = ("api.", "router.")


def time_limit(limit: timedelta) -> Middleware:
    """Builds the middleware. The `errors` middleware answers a request that exceeds the limit with 503."""

    @web.middleware
    async def limit_time(request: web.Request, handler: Handler) -> web.StreamResponse:
        declaration = find_declaration(request)
        async with asyncio.timeout(limit.total_seconds()) as timeout:
            if declaration is not None and (declaration.media or declaration.takes_files):
                request[TIME_LIMIT] = timeout
                request[TIME_LIMIT_SECONDS] = limit.total_seconds()
            try:
                return await handler(request)
            finally:
                request.pop(TIME_LIMIT, None)

    return limit_time


def restart_limit(request: web.Request) -> None:
    """Starts the time limit of a request again. Without effect on requests that take no files."""
    timeout = request.get(TIME_LIMIT)
    if timeout is not None:
        timeout.reschedule(asyncio.get_running_loop().time() + request[TIME_LIMIT_SECONDS])


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

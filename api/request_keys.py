"""Keys of the values that middlewares store on a request."""

from __future__ import annotations

import asyncio

from aiohttp import web

from router.admin.access.authentication import Caller
from router.ratelimit.sliding_window import RateLimitStatus

REQUEST_ID = web.RequestKey("request_id", str)
ADDRESS = web.RequestKey("address", str)
CALLER = web.RequestKey("caller", Caller)
# The time limit of a request for a streamed response. It is lifted when the response starts.
TIME_LIMIT = web.RequestKey("time_limit", asyncio.Timeout)
TIME_LIMIT_SECONDS = web.RequestKey("time_limit_seconds", float)
VERDICT = web.RequestKey("verdict", RateLimitStatus)

"""What the middlewares leave on a request for those further in."""

from __future__ import annotations

import asyncio

from aiohttp import web

from router.admin.access.authentication import Caller
from router.ratelimit.sliding_window import Verdict

REQUEST_ID = web.RequestKey("request_id", str)
ADDRESS = web.RequestKey("address", str)
CALLER = web.RequestKey("caller", Caller)
# How long the request may take; a stream lifts it when its answer begins.
TIME_LIMIT = web.RequestKey("time_limit", asyncio.Timeout)
VERDICT = web.RequestKey("verdict", Verdict)

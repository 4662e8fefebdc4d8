"""What the middlewares leave on a request for those further in."""

from __future__ import annotations

from aiohttp import web

from router.admin.authentication import Caller
from router.admin.rate_window import Verdict

REQUEST_ID = web.RequestKey("request_id", str)
ADDRESS = web.RequestKey("address", str)
CALLER = web.RequestKey("caller", Caller)
VERDICT = web.RequestKey("verdict", Verdict)

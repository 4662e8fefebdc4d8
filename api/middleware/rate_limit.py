"""The two limits: requests a minute of each key or session, requests a day of each workspace.

Every authenticated answer carries the figures of the nearer one (see `request_id.on_prepare`), a refused one too.
"""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.request_keys import CALLER, VERDICT
from router.ratelimit.failure_throttle import Throttled
from router.ratelimit.fixed_counts import RateLimits
from router.ratelimit.sliding_window import Limit

MINUTE = 60
DAY = 86400


def rate_limit(limits: RateLimits, *, per_minute: int, per_day: int) -> Middleware:
    """The middleware; 0 is unlimited."""
    by_caller = Limit(per_minute, MINUTE)
    by_workspace = Limit(per_day, DAY)

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = request.get(CALLER)
        if caller is None:
            return await handler(request)
        verdict = await limits.count({caller.scope: by_caller, f"workspace:{caller.actor.workspace_id}": by_workspace})
        if verdict is not None:
            request[VERDICT] = verdict
            if not verdict.allowed:
                raise Throttled(f"Too many requests: try again in {verdict.retry_after} s", verdict.retry_after)
        return await handler(request)

    return count

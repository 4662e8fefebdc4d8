"""Rate limits: per key and per workspace for API keys, per user for sessions.

Automatic requests of open pages have a separate limit, so that they never use up the user's limit. See
docs/decisions/0033-rate-limits-of-sessions.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from api.declaration import find_declaration
from api.request_keys import CALLER, VERDICT
from config.schema import ApiSettings
from router.admin.access.authentication import Caller
from router.ratelimit.failure_throttle import RateLimited
from router.ratelimit.request_limiter import RateLimiter
from router.ratelimit.sliding_window import RateLimit

MINUTE_SECONDS = 60
DAY_SECONDS = 86400
# Maximum number of automatic requests per minute and user. It suffices for 20 open pages
# (`change_feed.MAX_STREAMS_PER_USER`), and it also applies to a client that forges `REFRESH_HEADER`.
AUTOMATIC_REQUESTS = 1200
# Sent by `static/app.js`. Other sites cannot set the header (CORS).
REFRESH_HEADER = "X-Page-Refresh"


def rate_limit(limits: RateLimiter, settings: ApiSettings) -> Middleware:
    """Builds the middleware. A setting of 0 means no limit."""
    by_key = RateLimit(settings.requests_per_minute, MINUTE_SECONDS)
    by_workspace = RateLimit(settings.requests_per_day, DAY_SECONDS)
    by_user = RateLimit(settings.session_requests_per_minute, MINUTE_SECONDS)
    automatic = RateLimit(AUTOMATIC_REQUESTS if by_user.requests else 0, MINUTE_SECONDS)

    def applicable_limits(request: web.Request, caller: Caller) -> Mapping[str, RateLimit]:
        if not caller.is_session:
            return {caller.scope: by_key, f"workspace:{caller.actor.workspace_id}": by_workspace}
        if _is_automatic(request):
            return {f"automatic:{caller.actor.user_id}": automatic}
        return {f"person:{caller.actor.user_id}": by_user}

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        caller = request.get(CALLER)
        if caller is None:
            return await handler(request)
        verdict = await limits.count(applicable_limits(request, caller))
        if verdict is not None:
            request[VERDICT] = verdict
            if not verdict.allowed:
                raise RateLimited(f"Too many requests: retry in {verdict.retry_after} s", verdict.retry_after)
        return await handler(request)

    return count


def _is_automatic(request: web.Request) -> bool:
    declaration = find_declaration(request)
    if declaration is None or not declaration.is_auto_refreshed or request.method not in ("GET", "HEAD"):
        return False
    return bool(declaration.media) or REFRESH_HEADER in request.headers

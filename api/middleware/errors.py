"""Turns exceptions into JSON errors without internal details.

An unexpected exception becomes `internal_error`, with a log event that has the request id.
"""

from __future__ import annotations

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from api import responses
from api.middleware.time_limit import innermost_call
from api.request_keys import ADDRESS, REQUEST_ID
from router.errors import ErrorCode, Refused, SchemaMismatch, Unavailable
from router.network import address_key
from router.ratelimit.failure_throttle import FailureThrottle, RateLimited
from router.ratelimit.sliding_window import RateLimit

log = structlog.get_logger()

# Limit of log events per client address. While the database is unavailable, even unauthenticated requests cause log
# events.
ERROR_LOG_LIMIT = RateLimit(requests=300, seconds=60)
ERROR_LOG_COUNTS = web.AppKey("error_log_counts", FailureThrottle)

_AIOHTTP_ERRORS: dict[int, tuple[ErrorCode, str]] = {
    404: ("not_found", "Not found"),
    413: ("payload_too_large", "Request body is too large"),
    415: ("unsupported_media_type", "Content-Type must be application/json"),
}


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except Refused as refusal:
        _check_response_not_started(request)
        return _close_if_unread(request, responses.from_refusal(refusal))
    except (Unavailable, SchemaMismatch) as error:
        _check_response_not_started(request)
        if _may_log(request):
            log.warning("api.service_unavailable", reason=str(error), **_log_fields(request))
        return _unavailable_response()
    except TimeoutError as error:
        _check_response_not_started(request)
        if _may_log(request):
            log.warning("api.request_timed_out", waiting_in=innermost_call(error), **_log_fields(request))
        return _close_if_unread(request, _unavailable_response())
    except web.HTTPMethodNotAllowed as error:
        response = responses.error("method_not_allowed", f"Method {request.method[:20]} is not allowed")
        response.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return _close_if_unread(request, response)
    except web.HTTPException as error:
        if error.status < 400:  # a redirect is not an error
            raise
        code, message = _AIOHTTP_ERRORS.get(error.status, ("invalid_request", "Bad request"))
        return _close_if_unread(request, responses.error(code, message))
    except (web.RequestPayloadError, ConnectionError):
        _check_response_not_started(request)
        return _close_if_unread(request, responses.error("invalid_request", "Request body is incomplete"))
    except Exception:
        _check_response_not_started(request)
        if _may_log(request):
            log.exception("api.internal_error", **_log_fields(request))
        return _close_if_unread(
            request,
            responses.error("internal_error", "Internal server error; the log has details under the request id"),
        )


def _may_log(request: web.Request) -> bool:
    attempts, key = request.app[ERROR_LOG_COUNTS], address_key(request.get(ADDRESS, ""))
    try:
        attempts.check(key)
    except RateLimited:
        return False
    attempts.record_failure(key)
    return True


def _log_fields(request: web.Request) -> dict[str, str]:
    return {"request_id": request[REQUEST_ID], "method": request.method, "path": request.path}


def _check_response_not_started(request: web.Request) -> None:
    """Raises ConnectionResetError if the response has started.

    The connection is then closed, so that the client does not mistake the response for a complete one.
    """
    if request.writer.output_size > 0:
        raise ConnectionResetError("the response cannot be completed")


def _unavailable_response() -> web.Response:
    response = responses.error("unavailable", "Service temporarily unavailable: try again later")
    response.headers["Retry-After"] = "5"
    return response


def _close_if_unread(request: web.Request, response: web.Response) -> web.Response:
    if response.status == 413 or (request.body_exists and not request.content.at_eof()):
        response.force_close()
    return response

"""JSON responses of the API."""

from __future__ import annotations

from aiohttp import web

from api import compression
from api.schema.errors import STATUS, Error, ErrorDetail
from api.schema.shape import Answer
from router.errors import ErrorCode, Refused

# Code and message of an error, which the dashboard renders as a page.
ERROR = web.ResponseKey("error", tuple[ErrorCode, str])


def json_text(text: str, status: int = 200) -> web.Response:
    return compression.response(text.encode("utf-8", "replace"), "application/json", status=status)


def json(answer: Answer, status: int = 200) -> web.Response:
    return compression.response(answer.to_json_bytes(), "application/json", status=status)


def error(code: ErrorCode, message: str, field: str | None = None) -> web.Response:
    response = json(Error(error=ErrorDetail(code=code, message=message, field=field)), STATUS[code])
    response[ERROR] = (code, message)
    return response


def from_refusal(refusal: Refused) -> web.Response:
    response = error(refusal.code, refusal.message, refusal.field)
    retry_after = getattr(refusal, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if refusal.code == "unauthorized":
        response.headers["WWW-Authenticate"] = 'Bearer realm="Email Router"'
    return response

"""JSON responses of the API."""

from __future__ import annotations

from collections.abc import Mapping

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


def error(
    code: ErrorCode, message: str, field: str | None = None, details: Mapping[str, str] | None = None
) -> web.Response:
    details = details or {}
    detail = ErrorDetail(
        code=code,
        message=message,
        field=field,
        fix=details.get("fix"),
        last_message_id=details.get("lastMessageId"),
    )
    response = json(Error(error=detail), STATUS[code])
    response[ERROR] = (code, message)
    return response


def from_refusal(refusal: Refused) -> web.Response:
    response = error(refusal.code, refusal.message, refusal.field, refusal.details)
    retry_after = getattr(refusal, "retry_after", None)
    if retry_after is not None:
        response.headers["Retry-After"] = str(retry_after)
    if refusal.code == "unauthorized":
        response.headers["WWW-Authenticate"] = 'Bearer realm="Email Router"'
    return response

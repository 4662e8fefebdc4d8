"""Model of errors, and the HTTP status of each code."""

from __future__ import annotations

from typing import Annotated, get_args

from pydantic import Field, WithJsonSchema

from api.schema.shape import Answer
from router.errors import ErrorCode

STATUS: dict[ErrorCode, int] = {
    "invalid_request": 400,
    "invalid_domain": 400,
    "invalid_alias": 400,
    "invalid_integration": 400,
    "invalid_webhook_url": 400,
    "invalid_status": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "conflict": 409,
    "domain_taken": 409,
    "alias_taken": 409,
    "in_use": 409,
    "already_claimed": 409,
    "not_open": 409,
    "idempotency_mismatch": 409,
    "payload_too_large": 413,
    "unsupported_media_type": 415,
    "rate_limited": 429,
    "internal_error": 500,
    "unavailable": 503,
}
assert set(STATUS) == set(get_args(ErrorCode))  # noqa: S101 - fails at import for a code without a status


class ErrorDetail(Answer):
    """What is wrong. `field` is the name of the invalid input in validation errors."""

    code: ErrorCode
    message: str
    field: Annotated[str | None, Field(exclude_if=lambda value: value is None), WithJsonSchema({"type": "string"})] = (
        None
    )


class Error(Answer):
    """Response body of every status of 400 and above."""

    error: ErrorDetail

"""Model of errors, and the HTTP status and meaning of each code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, get_args

from pydantic import Field, WithJsonSchema

from api.schema.shape import Answer
from router.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class ErrorMeaning:
    """What an error code means and what the client can do, in Markdown."""

    status: int
    meaning: str
    action: str


# The API page and the table in docs/api.md list them in this order.
ERRORS: dict[ErrorCode, ErrorMeaning] = {
    "invalid_request": ErrorMeaning(
        400,
        "The body, a parameter or a header field is malformed, missing or unknown.",
        "Correct the input that `field` and `message` name.",
    ),
    "invalid_domain": ErrorMeaning(
        400, "The domain name is not valid.", "Send a name such as `example.com`, without scheme, path or port."
    ),
    "invalid_alias": ErrorMeaning(
        400,
        "The local part is malformed, too long, would need quotes, or has the form of an address of replies.",
        "Send the part before the `@`, such as `support`, or `*` for the catch-all.",
    ),
    "invalid_integration": ErrorMeaning(
        400,
        "The integration does not exist in the workspace, or its type is unknown.",
        "Use an id from `GET /api/integrations`, or a type that `message` lists.",
    ),
    "invalid_webhook_url": ErrorMeaning(
        400,
        "The webhook URL is malformed, belongs to another service or has a private address.",
        "Copy the URL again from the settings of the service.",
    ),
    "invalid_status": ErrorMeaning(400, "The status is not one of the allowed values.", "Use a value of `message`."),
    "no_recipient": ErrorMeaning(
        400, "The reply has no recipient.", "Send `to`: the ticket has no address that can be answered."
    ),
    "invalid_recipient": ErrorMeaning(
        400,
        "A recipient is malformed, an alias of the installation, or an address to which mail could not be delivered.",
        "Correct the address that `message` names. `force: true` sends to an undeliverable address.",
    ),
    "unknown_placeholder": ErrorMeaning(
        400, "The text contains a placeholder that does not exist.", "Use one that `message` lists, or write `{{`."
    ),
    "unauthorized": ErrorMeaning(
        401,
        "No valid API key or session was sent, or the password is incorrect.",
        "Send `Authorization: Bearer er_...` with a key that is neither revoked nor expired, or sign in again.",
    ),
    "forbidden": ErrorMeaning(
        403,
        "The role of the key or user does not allow the call, or another site sent the request.",
        "Use a key with the role that the call requires. An assigned ticket is changed by its assignee or an admin, a "
        "note by its author.",
    ),
    "not_found": ErrorMeaning(
        404,
        "The path or the object does not exist, or belongs to another workspace.",
        "Check the path and the id. A deleted object stays away: do not retry.",
    ),
    "method_not_allowed": ErrorMeaning(
        405, "The path exists, but not with this method.", "Use a method of the header field `Allow`."
    ),
    "conflict": ErrorMeaning(
        409,
        "The request contradicts the current state, such as an address in use or a concurrent request.",
        "Read `message`; get the object again before another attempt.",
    ),
    "domain_taken": ErrorMeaning(
        409,
        "The workspace already has the domain, or it is active in another workspace.",
        "Use the existing domain. To take one over from another workspace, follow `message`.",
    ),
    "alias_taken": ErrorMeaning(
        409, "The domain already has an alias with this local part.", "Change the existing alias instead."
    ),
    "in_use": ErrorMeaning(
        409, "Aliases use the object.", "Delete or change the aliases first; for a domain, `force=true` does so."
    ),
    "already_claimed": ErrorMeaning(
        409, "The ticket is assigned to another user.", "Take another ticket, or send `takeOver: true` to take it over."
    ),
    "not_open": ErrorMeaning(409, "The ticket is resolved.", "Reopen it first: set its status to `open`."),
    "idempotency_mismatch": ErrorMeaning(
        409,
        "The `Idempotency-Key` was used with another request in the last 24 hours.",
        "Send a new key with a new request, and the same request with the same key.",
    ),
    "sending_not_set_up": ErrorMeaning(
        409,
        "There is no smarthost, or the domain does not send replies yet.",
        "Do what `fix` says: set a smarthost, or publish the DNS records of the domain.",
    ),
    "newer_message": ErrorMeaning(
        409,
        "The customer wrote, or a colleague answered, after the message that `ifLastMessageId` names.",
        "Read the message `lastMessageId`, and send again with its id.",
    ),
    "already_sent": ErrorMeaning(
        409, "The reply is not queued: it is being sent, was sent, or was canceled.", "Get the reply for its state."
    ),
    "payload_too_large": ErrorMeaning(
        413, "The body is larger than the call accepts.", "Send less; `message` has the limit in bytes."
    ),
    "unsupported_media_type": ErrorMeaning(
        415,
        "The body is not JSON in UTF-8, or is compressed.",
        "Send `Content-Type: application/json` and no `Content-Encoding`.",
    ),
    "rate_limited": ErrorMeaning(
        429,
        "Too many requests, or too many failed sign-ins.",
        "Wait for the seconds in `Retry-After`. `X-RateLimit-Remaining` shows what is left.",
    ),
    "internal_error": ErrorMeaning(
        500,
        "The program failed; the log has the details.",
        "Report it with the `X-Request-Id` of the response. The change may or may not have been made.",
    ),
    "unavailable": ErrorMeaning(
        503,
        "The database or the disk is unavailable or full.",
        "Retry after the seconds in `Retry-After`, with the same `Idempotency-Key`.",
    ),
}
STATUS: dict[ErrorCode, int] = {code: error.status for code, error in ERRORS.items()}
assert set(ERRORS) == set(get_args(ErrorCode))  # noqa: S101 - fails at import for a code without a meaning


# Absent in the errors that have no such value.
_Optional = Annotated[str | None, Field(exclude_if=lambda value: value is None), WithJsonSchema({"type": "string"})]


class ErrorDetail(Answer):
    """What is wrong, and where."""

    code: ErrorCode
    """What is wrong, for programs."""
    message: str
    """What is wrong, for people. The text may change."""
    field: _Optional = None
    """Name of the invalid input; absent if the error is about no single one."""
    fix: _Optional = None
    """What an administrator must do first; only with `sending_not_set_up`."""
    last_message_id: _Optional = None
    """Newest message of the customer or of a colleague; only with `newer_message`."""


class Error(Answer):
    """Response body of every status of 400 and above."""

    error: ErrorDetail
    """The error."""

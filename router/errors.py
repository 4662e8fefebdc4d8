"""The errors of the core.

The message of `Refused` may be shown to the caller; the text of `Unavailable` is only for the operator. SMTP replies
to both with 4yz, because the client should retry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

ErrorCode = Literal[
    "invalid_request",
    "invalid_domain",
    "invalid_alias",
    "invalid_integration",
    "invalid_webhook_url",
    "invalid_status",
    "unauthorized",
    "forbidden",
    "not_found",
    "method_not_allowed",
    "conflict",
    "domain_taken",
    "alias_taken",
    "in_use",
    "already_claimed",
    "not_open",
    "idempotency_mismatch",
    "sending_not_set_up",
    "newer_message",
    "no_recipient",
    "invalid_recipient",
    "already_sent",
    "unknown_placeholder",
    "payload_too_large",
    "unsupported_media_type",
    "rate_limited",
    "internal_error",
    "unavailable",
]


class Refused(Exception):  # noqa: N818 - a negative reply to the caller, not a fault
    """The request is invalid, forbidden or in conflict with the current state.

    Attributes:
        code: The error code of the REST API.
        field: The name of the invalid field in the REST API (camelCase), or None.
        details: Further values for programs, by their names in the REST API.
    """

    def __init__(
        self, code: ErrorCode, message: str, field: str | None = None, details: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.field = field
        self.details: Mapping[str, str] = details or {}


class InvalidSetting(Refused):
    """A setting of an integration is invalid or unknown; `field` is its name."""


class Unavailable(Exception):  # noqa: N818 - the term of HTTP 503 (Service Unavailable)
    """The database or the disk is unavailable or full. A retry may succeed."""


class StorageFull(Unavailable):
    """The disk is full or nearly full."""


class DatabaseFileReplaced(Unavailable):
    """The open database file was removed, moved or replaced. The store logs this."""

    advice = (
        "The database file was moved or replaced while the program was running. Restart the program; "
        "stop it before restoring a backup"
    )


class SerializationConflict(Unavailable):
    """A deadlock or serialisation failure; an immediate retry may succeed."""


class StatementCancelled(Unavailable):
    """The server cancelled a statement that waited for a lock or ran for too long."""


class RowLocked(Unavailable):
    """Another transaction has locked a row that is needed. Nothing was written."""


class ConfigurationFault(Unavailable):
    """An administrator must change a setting, a privilege or the database.

    At startup and in commands except `check`, the error ends the process. In a running server, it is a temporary
    failure. The text contains no password.
    """

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem = problem
        self.fix = fix


class SchemaMismatch(Exception):  # noqa: N818 - a state of the database, not a failed call
    """The schema version of the database does not match the program."""


def not_found_error(noun: str) -> Refused:
    """Returns an error that does not reveal whether the object exists in another workspace."""
    return Refused("not_found", f"{noun} not found")

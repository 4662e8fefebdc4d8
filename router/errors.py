"""The two kinds of failure the core knows, so that every door can tell them apart.

`Refused` is about them: the caller asked for something that is wrong or not allowed; its message is written for
the caller and may be shown as it is. `Unavailable` is about us: waiting may help, the caller is not to blame, and
its text is for the log alone (DESIGN.md rule 2: 4yz is about us, 5yz is about them).
"""

from __future__ import annotations

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
    "payload_too_large",
    "unsupported_media_type",
    "rate_limited",
    "internal_error",
    "unavailable",
]


class Refused(Exception):  # noqa: N818 - named for what happened to the caller, as the SMTP and HTTP words are
    """The caller's request cannot be done; `message` says what, where and what is allowed.

    `field` names the input that is wrong (camelCase, as the API spells it), for validation errors.
    """

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code: ErrorCode = code
        self.message = message
        self.field = field


class Unavailable(Exception):  # noqa: N818 - the word of RFC 3463 and of HTTP 503
    """Something of ours is away or full for now: the database, the disk. Trying again later may work."""


class StorageFull(Unavailable):
    """The disk is full or nearly so: `452 4.3.1` at the SMTP door."""


class DatabaseFileReplaced(Unavailable):
    """The database's file was removed, moved or replaced while it is open. The store has logged it, once."""

    advice = (
        "The database file was moved or replaced while the program was running. Restart the program; "
        "stop it before restoring a backup"
    )


class SerializationConflict(Unavailable):
    """Another transaction was in the way (a deadlock, a serialisation failure): the same once more may work at once."""


class ConfigurationFault(Unavailable):
    """Waiting does not help: a setting, a grant or the database itself has to be changed by an administrator.

    At the start of a process this ends it with exit code 2. While it runs, the same is a temporary failure.
    `problem` says what is wrong and `fix` what to do; neither holds a password.
    """

    def __init__(self, problem: str, fix: str) -> None:
        super().__init__(f"{problem}: {fix}")
        self.problem = problem
        self.fix = fix


class SchemaMismatch(Exception):  # noqa: N818 - not a failure of a call but a state of the database
    """The database's schema is not the one this program works with; the message says which and what to do."""


def not_found_error(noun: str) -> Refused:
    """What is missing and what belongs to another workspace look the same."""
    return Refused("not_found", f"{noun} not found")

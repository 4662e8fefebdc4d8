"""Workspaces, their users and API keys, and what these do."""

from __future__ import annotations

from dataclasses import dataclass

from router.enumerations import Role
from router.model.time import Micros


@dataclass(frozen=True, slots=True)
class Workspace:
    """The tenant: every other object belongs to exactly one workspace. `check_policy`: see router/checks/policy.py."""

    id: str
    name: str
    default_integration_id: str | None
    last_ticket_number: int
    created_at: Micros
    timezone: str = "UTC"
    locale: str = "en"
    check_policy: str = "{}"


@dataclass(frozen=True, slots=True)
class User:
    """A user of a workspace. `email` is the sign-in name, unique across workspaces."""

    id: str
    workspace_id: str
    email: str
    name: str
    role: Role
    password_hash: str | None
    created_at: Micros
    disabled_at: Micros | None
    timezone: str | None = None

    @property
    def can_sign_in(self) -> bool:
        return self.password_hash is not None and self.disabled_at is None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key of a user. `hint` is the part of the key that may be shown."""

    id: str
    workspace_id: str
    user_id: str
    name: str
    role: Role
    hash: str
    hint: str
    created_at: Micros
    expires_at: Micros | None
    last_used_at: Micros | None
    revoked_at: Micros | None


@dataclass(frozen=True, slots=True)
class Actor:
    """The author of a request or a change: also a background task or the command line, without user and API key.

    `address` is the IP address of the client; `""` without one.
    """

    workspace_id: str
    role: Role
    user_id: str | None = None
    key_id: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An entry of the audit log. `action` is noun and verb, as in `user.create`; `detail` is JSON without secrets."""

    id: str
    workspace_id: str
    at: Micros
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: str

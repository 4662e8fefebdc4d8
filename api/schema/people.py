"""Shapes of the workspace, its users and keys, and of signing in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field

from api.schema.shape import Address, Answer, Body, Id, Name, NextCursor, Password, Time
from router.admin.access.keys import NewKey
from router.admin.access.sessions import Identity, SessionInfo
from router.local_time import LOCALES
from router.model import ApiKey, Role, User, Workspace


def _moment(value: object) -> object:
    """ISO 8601 with an offset; anything else could mean several moments."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            moment = None
        if moment is not None and moment.tzinfo is not None and 2000 <= moment.year <= 9990:
            return int(moment.timestamp()) * 1_000_000
    raise ValueError("must be a time like 2030-01-01T12:00:00Z")


Moment = Annotated[
    int, BeforeValidator(_moment, json_schema_input_type=str), Field(json_schema_extra={"format": "date-time"})
]
Timezone = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 64, "examples": ["Europe/Berlin"]})]
Locale = Annotated[str, Field(json_schema_extra={"enum": list(LOCALES)})]
RoleWord = Annotated[str, Field(json_schema_extra={"enum": ["admin", "agent", "viewer"]})]


class WorkspaceAnswer(Answer):
    """The workspace that the key or session belongs to."""

    id: str
    name: str
    default_integration_id: str | None
    timezone: str = Field(description="IANA time zone in which times are shown.")
    locale: str = Field(description="Language tag for the format of dates.")
    created_at: Time

    @classmethod
    def of(cls, workspace: Workspace) -> Self:
        return cls(
            id=workspace.id,
            name=workspace.name,
            default_integration_id=workspace.default_integration_id,
            timezone=workspace.timezone,
            locale=workspace.locale,
            created_at=workspace.created_at,
        )


class WorkspaceChange(Body):
    """What is given is changed; `defaultIntegrationId: null` leaves the postmaster's mail without integration."""

    name: Name | None = None
    default_integration_id: Id | None = None
    timezone: Timezone | None = None
    locale: Locale | None = None


class UserAnswer(Answer):
    """A person of the workspace."""

    id: str
    email: str
    name: str
    role: Role
    can_sign_in: bool
    timezone: str | None = Field(description="IANA time zone in which times are shown; null: the workspace's.")
    created_at: Time
    disabled_at: Time | None

    @classmethod
    def of(cls, user: User) -> Self:
        return cls(
            id=user.id,
            email=user.email,
            name=user.name,
            role=user.role,
            can_sign_in=user.password_hash is not None and user.disabled_at is None,
            timezone=user.timezone,
            created_at=user.created_at,
            disabled_at=user.disabled_at,
        )


class UserList(Answer):
    """A page of users."""

    users: list[UserAnswer]
    next_cursor: NextCursor = None


class UserCreate(Body):
    """A new user; without a password they can use keys, but not sign in."""

    email: Address
    name: str = ""
    role: RoleWord = "agent"
    password: Password | None = None
    timezone: Timezone | None = None


class UserChange(Body):
    """What is given is changed; `timezone: null` is the workspace's."""

    name: str | None = None
    role: RoleWord | None = None
    password: Password | None = None
    disabled: bool | None = None
    timezone: Timezone | None = None


class KeyAnswer(Answer):
    """A key, without its text."""

    id: str
    name: str
    role: Role
    user_id: str
    hint: str
    created_at: Time
    expires_at: Time | None
    last_used_at: Time | None
    revoked_at: Time | None

    @classmethod
    def of(cls, key: ApiKey) -> Self:
        return cls(
            id=key.id,
            name=key.name,
            role=key.role,
            user_id=key.user_id,
            hint=key.hint,
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
        )


class KeyCreated(Answer):
    """A new key. `key` is its text, shown this once."""

    id: str
    name: str
    role: Role
    user_id: str
    hint: str
    created_at: Time
    expires_at: Time | None
    key: str

    @classmethod
    def of(cls, new: NewKey) -> Self:
        return cls(
            id=new.key.id,
            name=new.key.name,
            role=new.key.role,
            user_id=new.key.user_id,
            hint=new.key.hint,
            created_at=new.key.created_at,
            expires_at=new.key.expires_at,
            key=new.plaintext,
        )


class KeyList(Answer):
    """A page of keys."""

    keys: list[KeyAnswer]
    next_cursor: NextCursor = None


class KeyCreate(Body):
    """A new key, for oneself or another user; with the user's role unless a lower one is given."""

    name: Name
    role: RoleWord | None = None
    user_id: Id | None = None
    expires_at: Moment | None = None


class Login(Body):
    """Who signs in."""

    email: str
    password: str


class PasswordChange(Body):
    """One's own password; all other sessions end."""

    current_password: str
    password: Password


class SessionAnswer(Answer):
    """Where one is signed in. `current` is the session that asks."""

    id: str
    address: str
    current: bool
    created_at: Time
    last_used_at: Time
    expires_at: Time

    @classmethod
    def of(cls, session: SessionInfo, own: str) -> Self:
        return cls(
            id=session.id,
            address=session.address,
            current=session.id == own,
            created_at=session.created_at,
            last_used_at=session.last_used_at,
            expires_at=session.expires_at,
        )


class SessionList(Answer):
    """One's own sessions, the latest used first."""

    sessions: list[SessionAnswer]


class MeAnswer(Answer):
    """Who asks, as what, and by which key."""

    user: UserAnswer | None
    workspace: WorkspaceAnswer | None
    role: Role
    via: Literal["key", "session"]
    key_id: str | None

    @classmethod
    def of(cls, me: Identity) -> Self:
        return cls(
            user=None if me.user is None else UserAnswer.of(me.user),
            workspace=None if me.workspace is None else WorkspaceAnswer.of(me.workspace),
            role=me.actor.role,
            via="session" if me.actor.key_id is None else "key",
            key_id=me.actor.key_id,
        )

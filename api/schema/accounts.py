"""Models of the workspace, users, API keys, sessions and sign-in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from api.schema.shape import Address, Answer, Body, Id, Name, NextCursor, Password, Time, documented
from router.admin.access.keys import NewKey
from router.admin.access.sessions import Identity
from router.admin.access.users import Invitation
from router.enumerations import ROLE, Role
from router.local_time import LOCALE


def _parse_time(value: object) -> object:
    """Parses ISO 8601. Requires an offset, without which the time would be ambiguous."""
    if isinstance(value, str) and len(value) <= 40:
        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            parsed = None
        if parsed is not None and parsed.tzinfo is not None and 2000 <= parsed.year <= 9990:
            return int(parsed.timestamp()) * 1_000_000
    raise ValueError("must be an ISO 8601 time with an offset, such as 2030-01-01T12:00:00Z")


TimeInput = Annotated[
    int, BeforeValidator(_parse_time, json_schema_input_type=str), Field(json_schema_extra={"format": "date-time"})
]
Timezone = Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 64, "examples": ["Europe/Berlin"]})]
Locale = Annotated[str, documented(LOCALE)]
RoleName = Annotated[str, documented(ROLE)]


class WorkspaceAnswer(Answer):
    """The workspace of the API key or session."""

    id: str
    name: str
    default_integration_id: str | None
    timezone: str = Field(description="IANA time zone in which times are shown.")
    locale: str = Field(description="Language tag for the format of dates.")
    created_at: Time


class WorkspaceChange(Body):
    """Fields to change.

    With `defaultIntegrationId: null`, mail to a postmaster address without an active alias is posted to no integration.
    """

    name: Name | None = None
    default_integration_id: Id | None = None
    timezone: Timezone | None = None
    locale: Locale | None = None


class UserAnswer(Answer):
    """A user of the workspace."""

    id: str
    email: str
    name: str
    role: Role
    can_sign_in: bool
    timezone: str | None = Field(
        description="IANA time zone in which times are shown; null for the time zone of the workspace."
    )
    created_at: Time
    disabled_at: Time | None


class UserCreated(UserAnswer):
    """A new user. An invited user also has a link with which the user sets a password."""

    url: Annotated[str | None, Field(exclude_if=lambda url: url is None), WithJsonSchema({"type": "string"})] = Field(
        default=None,
        description="With `invite`: the secret link to send to the user. It is not returned again, and works once.",
    )
    expires_at: Annotated[
        Time | None,
        Field(exclude_if=lambda time: time is None),
        WithJsonSchema({"type": "string", "format": "date-time"}),
    ] = Field(default=None, description="With `invite`: when the link expires, 7 days after the invitation.")

    @property
    def is_secret(self) -> bool:
        return self.url is not None

    @classmethod
    def from_invitation(cls, invitation: Invitation) -> Self:
        return cls.from_model(invitation.user, invitation.link)


class PasswordLinkAnswer(Answer):
    """A link with which a user sets a new password. An earlier link of the user no longer works."""

    url: str = Field(description="The secret link to send to the user. It is not returned again, and works once.")
    expires_at: Time = Field(description="When the link expires, after 24 hours.")


class UserList(Answer):
    """A page of users."""

    users: list[UserAnswer]
    next_cursor: NextCursor = None


class UserCreate(Body):
    """A new user. Without a password and an invitation, the user can use API keys but cannot sign in."""

    email: Address
    name: str = ""
    role: RoleName = "agent"
    password: Password | None = None
    invite: bool = Field(
        default=False, description="Whether to create a link with which the user sets a password. Excludes `password`."
    )
    timezone: Timezone | None = None


class UserChange(Body):
    """Fields to change. `timezone: null` selects the time zone of the workspace."""

    name: str | None = None
    role: RoleName | None = None
    password: Password | None = None
    disabled: bool | None = None
    timezone: Timezone | None = None


class _KeyFields(Answer):
    """The fields of an API key that a new key has too."""

    id: str
    name: str
    role: Role
    user_id: str
    hint: str
    created_at: Time
    expires_at: Time | None


class KeyAnswer(_KeyFields):
    """An API key without the key itself."""

    last_used_at: Time | None
    revoked_at: Time | None


class KeyCreated(_KeyFields):
    """A new API key. `key` is the key itself; it is not returned again."""

    key: str = Field(validation_alias="plaintext")

    @property
    def is_secret(self) -> bool:
        return True

    @classmethod
    def from_new_key(cls, created: NewKey) -> Self:
        return cls.from_model(created, created.key)


class KeyList(Answer):
    """A page of API keys."""

    keys: list[KeyAnswer]
    next_cursor: NextCursor = None


class KeyCreate(Body):
    """A new API key for the authenticated or another user.

    The key has the role of that user unless a lower role is given.
    """

    name: Name
    role: RoleName | None = None
    user_id: Id | None = None
    expires_at: TimeInput | None = None


class Login(Body):
    """Credentials."""

    email: str
    password: str


class PasswordChange(Body):
    """The current and the new password of the authenticated user. All other sessions end."""

    current_password: str
    password: Password


class SessionAnswer(Answer):
    """A session. `current`: whether it is the session of this request."""

    id: str
    address: str
    current: bool
    created_at: Time
    last_used_at: Time
    expires_at: Time


class SessionList(Answer):
    """Sessions of the authenticated user, most recently used first."""

    sessions: list[SessionAnswer]


class MeAnswer(Answer):
    """The authenticated user, the workspace and the effective role. `keyId` is null for a session."""

    user: UserAnswer | None
    workspace: WorkspaceAnswer | None
    role: Role
    via: Literal["key", "session"]
    key_id: str | None

    @classmethod
    def from_identity(cls, identity: Identity) -> Self:
        return cls.from_model(identity, identity.actor, via="session" if identity.actor.key_id is None else "key")

"""Models of the workspace, users, API keys, sessions and sign-in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, WithJsonSchema

from api.schema.check_policies import SenderChecksChange, StoredSenderChecks
from api.schema.enumerations import AuthenticationMethod
from api.schema.shape import (
    Address,
    Answer,
    Body,
    Id,
    Name,
    NextCursor,
    PageParameters,
    Password,
    Time,
    documented,
    filter_parameters,
)
from router.admin.access.keys import NewKey
from router.admin.access.sessions import Identity
from router.admin.access.users import Invitation
from router.enumerations import ROLE, Role
from router.filters import KeyFilter, UserFilter
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
    """Id of the workspace (`ws_...`)."""
    name: str
    """Name shown in the dashboard."""
    default_integration_id: str | None
    """Integration for mail to postmaster addresses without an active alias; null if such mail is posted nowhere."""
    timezone: str
    """IANA time zone in which times are shown, such as `Europe/Berlin`."""
    locale: str
    """Language tag that selects the format of dates."""
    sender_checks: StoredSenderChecks = Field(validation_alias="check_policy")
    """What happens to messages that fail a check of their sender."""
    created_at: Time
    """When the workspace was created."""


class WorkspaceChange(Body):
    """Fields to change. Fields that are not given stay unchanged."""

    name: Name | None = None
    """New name."""
    default_integration_id: Id | None = None
    """Integration for mail to postmaster addresses without an active alias. With null, such mail is posted nowhere."""
    timezone: Timezone | None = None
    """New IANA time zone."""
    locale: Locale | None = None
    """New language tag for the format of dates."""
    sender_checks: SenderChecksChange | None = None
    """New settings of the sender checks; a setting that is null has its default."""


class UserAnswer(Answer):
    """A user of the workspace."""

    id: str
    """Id of the user (`user_...`)."""
    email: str
    """Email address, with which the user signs in. Unique in the installation."""
    name: str
    """Display name; empty if none is set."""
    role: Role
    """Role of the user. API keys of the user have at most this role."""
    can_sign_in: bool
    """Whether the user has a password and is not disabled."""
    timezone: str | None
    """IANA time zone in which times are shown; null for the time zone of the workspace."""
    created_at: Time
    """When the user was created."""
    disabled_at: Time | None
    """When the user was disabled; null for an active user."""


_OptionalText = Annotated[str | None, Field(exclude_if=lambda text: text is None), WithJsonSchema({"type": "string"})]


class UserCreated(UserAnswer):
    """A new user. An invited user also has a link with which the user sets a password."""

    url: _OptionalText = None
    """With `invite`: the secret link to send to the user. It is not returned again, and works once.

    Absent if it was mailed.
    """
    expires_at: Annotated[
        Time | None,
        Field(exclude_if=lambda time: time is None),
        WithJsonSchema({"type": "string", "format": "date-time"}),
    ] = None
    """With `invite`: when the link expires, 7 days after the invitation."""
    mailed_to: _OptionalText = None
    """With `invite`: the address to which the link was mailed. Absent if it was not."""
    mail_error: _OptionalText = None
    """With `invite`: why the link was not mailed, although there is a smarthost. Send the `url` yourself."""

    @property
    def is_secret(self) -> bool:
        return self.url is not None

    @classmethod
    def from_invitation(cls, invitation: Invitation) -> Self:
        return cls.from_model(invitation.user, invitation.link)


class PasswordLinkCreate(Body):
    """How the user gets the link."""

    mail: bool = True
    """Whether to mail the link to the user if there is a smarthost. With false, it is always returned."""


class PasswordLinkAnswer(Answer):
    """A link with which a user sets a new password. An earlier link of the user no longer works."""

    url: _OptionalText = None
    """The secret link to send to the user. It is not returned again, and works once. Absent if it was mailed."""
    expires_at: Time
    """When the link expires, after 24 hours."""
    mailed_to: _OptionalText = None
    """The address to which the link was mailed. Absent if it was not."""
    mail_error: _OptionalText = None
    """Why the link was not mailed, although there is a smarthost. Send the `url` yourself."""

    @property
    def is_secret(self) -> bool:
        return self.url is not None


class UserList(Answer):
    """A page of users."""

    users: list[UserAnswer]
    """Users, newest first."""
    next_cursor: NextCursor = None


UserListParameters = filter_parameters(
    "UserListParameters", "Parameters of the list of users.", UserFilter, PageParameters
)


class UserCreate(Body):
    """A new user. Without a password and an invitation, the user can use API keys but cannot sign in."""

    email: Address
    """Email address, with which the user signs in. Must not be in use."""
    name: str = ""
    """Display name of up to 200 characters."""
    role: RoleName = "agent"
    """Role of the user."""
    password: Password | None = None
    """Password for signing in. Without one, the user can only use API keys."""
    invite: bool = False
    """Whether to create a link with which the user sets a password. Excludes `password`."""
    mail: bool = True
    """With `invite`: whether to mail the link if there is a smarthost. With false, it is always returned."""
    timezone: Timezone | None = None
    """IANA time zone in which times are shown; null for the time zone of the workspace."""


class UserChange(Body):
    """Fields to change. Fields that are not given or null stay unchanged, except `timezone`."""

    name: str | None = None
    """New display name of up to 200 characters."""
    role: RoleName | None = None
    """New role. The last admin cannot be demoted."""
    password: Password | None = None
    """New password. All sessions of the user end."""
    disabled: bool | None = None
    """With true, ends the sessions of the user and revokes their API keys; false restores neither."""
    timezone: Timezone | None = None
    """New IANA time zone; null selects the time zone of the workspace."""


class _KeyFields(Answer):
    """The fields of an API key that a new key has too."""

    id: str
    """Id of the key (`key_...`), not the key itself."""
    name: str
    """Name that tells keys apart."""
    role: Role
    """Role of the key. Requests have the lower of this role and that of the user."""
    user_id: str
    """User to whom the key belongs."""
    hint: str
    """First and last characters of the key."""
    created_at: Time
    """When the key was created."""
    expires_at: Time | None
    """When the key stops working; null if it does not expire."""


class KeyAnswer(_KeyFields):
    """An API key without the key itself."""

    last_used_at: Time | None
    """When the key was last used; null if it was never used. Updated at most once per minute."""
    revoked_at: Time | None
    """When the key was revoked; null for a valid key."""


class KeyCreated(_KeyFields):
    """A new API key."""

    key: str = Field(validation_alias="plaintext")
    """The key itself (`er_...`). Store it now: it is never returned again."""

    @property
    def is_secret(self) -> bool:
        return True

    @classmethod
    def from_new_key(cls, created: NewKey) -> Self:
        return cls.from_model(created, created.key)


class KeyList(Answer):
    """A page of API keys."""

    keys: list[KeyAnswer]
    """API keys, newest first."""
    next_cursor: NextCursor = None


KeyListParameters = filter_parameters(
    "KeyListParameters", "Parameters of the list of API keys.", KeyFilter, PageParameters
)


class KeyCreate(Body):
    """A new API key for the authenticated or another user."""

    name: Name
    """Name that tells keys apart."""
    role: RoleName | None = None
    """Role of the key, at most that of its user; null for the role of the user."""
    user_id: Id | None = None
    """User to whom the key belongs; null for the authenticated user."""
    expires_at: TimeInput | None = None
    """When the key stops working, with an offset from UTC; null if it does not expire."""


class Login(Body):
    """Credentials."""

    email: str
    """Email address of the user."""
    password: str
    """Password of the user."""


class PasswordChange(Body):
    """The current and the new password of the authenticated user. All other sessions end."""

    current_password: str
    """Current password."""
    password: Password
    """New password."""


class SessionAnswer(Answer):
    """A session of the dashboard."""

    id: str
    """Id of the session."""
    address: str
    """IP address from which the user signed in; empty if unknown."""
    current: bool
    """Whether this request was sent with the session."""
    created_at: Time
    """When the user signed in."""
    last_used_at: Time
    """When the session was last used."""
    expires_at: Time
    """When the session ends."""


class SessionList(Answer):
    """Sessions of the authenticated user, most recently used first."""

    sessions: list[SessionAnswer]
    """Sessions, most recently used first, at most 100."""


class MeAnswer(Answer):
    """The authenticated user, the workspace and the effective role."""

    user: UserAnswer | None
    """The authenticated user."""
    workspace: WorkspaceAnswer | None
    """The workspace of the user."""
    role: Role
    """Role that applies to this request: the lower of those of the user and of the API key."""
    via: AuthenticationMethod
    """Whether the request was authenticated with an API key or a session cookie."""
    key_id: str | None
    """Id of the API key; null for a session."""

    @classmethod
    def from_identity(cls, identity: Identity) -> Self:
        return cls.from_model(identity, identity.actor, via="session" if identity.actor.key_id is None else "key")

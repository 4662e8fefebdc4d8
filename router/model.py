"""The data model as frozen dataclasses.

Field names are column names (`router.store.fragments`). A missing text of a message, such as its subject, is `""`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from router.enumerations import (
    ActorType,
    AliasStatus,
    DeliveryEvent,
    DeliveryState,
    DomainStatus,
    IntegrationStatus,
    MxManaged,
    Role,
    TicketEventType,
    TicketPriority,
    TicketStatus,
)
from router.tag import Tag

Micros = int  # since the epoch


@dataclass(frozen=True, slots=True)
class Workspace:
    """The tenant: every other object belongs to exactly one workspace."""

    id: str
    name: str
    default_integration_id: str | None
    last_ticket_number: int
    created_at: Micros
    timezone: str = "UTC"
    locale: str = "en"


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
class Domain:
    """A mail domain of a workspace.

    Attributes:
        name, records: The A-label form in lower case, and the result of the last check as JSON.
        mx_managed: `upstream` if another relay receives the mail, so that only the TXT record verifies the domain.
        misses: The number of rechecks that found no correct record, since the last check that found one.
        alert: The text of the pending alert to the domain's integrations.
    """

    id: str
    workspace_id: str
    name: str
    status: DomainStatus
    token: str
    records: str
    created_at: Micros
    verified_at: Micros | None
    checked_at: Micros | None
    mx_managed: MxManaged = "here"
    misses: int = 0
    missing_since: Micros | None = None
    next_check_at: Micros = 0
    alert: str = ""
    alert_at: Micros | None = None

    @property
    def verified(self) -> bool:
        return self.status == "active"

    @property
    def mx_managed_upstream(self) -> bool:
        return self.mx_managed == "upstream"


@dataclass(frozen=True, slots=True)
class Integration:
    """A target that tickets are posted to. `public_settings` is a JSON object with null for each secret that is set.

    Attributes:
        hint: The target, masked for display.
        probe_at: When the next parked delivery of a failing integration is tried, `probe_interval` after the last one.
        paced_at: See `router.dispatch.pacing`.
        updates_after: When the service accepts changes of messages again.
        last_test_at: When the last test with the current settings was sent; `last_test_error` is "" if it arrived.
    """

    id: str
    workspace_id: str
    type: str
    name: str
    created_at: Micros
    encrypted_settings: str
    hint: str
    public_settings: str = "{}"
    status: IntegrationStatus = "active"
    last_error: str = ""
    failing_since: Micros | None = None
    probe_at: Micros | None = None
    probe_interval: int = 0
    paced_at: Micros = 0
    lease_until: Micros = 0
    updates_after: Micros = 0
    last_test_at: Micros | None = None
    last_test_error: str = ""

    @property
    def is_tested(self) -> bool:
        return self.last_test_at is not None and not self.last_test_error

    @property
    def settings(self) -> dict[str, str]:
        """The settings that are not secret."""
        return {name: value for name, value in json.loads(self.public_settings).items() if value is not None}


@dataclass(frozen=True, slots=True)
class Alias:
    """An address at a domain, and the integration that receives the tickets of this address.

    Attributes:
        local_part, local_key: As entered, `*` for the catch-all, and normalised for matching.
        forwarded_from: The address elsewhere that forwards to this alias, as a note; it proves nothing.
    """

    id: str
    workspace_id: str
    domain_id: str
    domain: str = field(metadata={"joined": True})  # the name in the table `domains`
    local_part: str
    local_key: str
    integration_id: str | None
    status: AliasStatus
    created_at: Micros
    forwarded_from: str | None = None

    @property
    def email(self) -> str:
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Message:
    """A received message without its content: the envelope and header fields.

    Attributes:
        protocol: The `with` value of the Received field (RFC 5321, 3848 and 6531), or `TEST`.
        reference_ids: A JSON list of Message-IDs in In-Reply-To and References.
        automatic: Why the message counts as automatic (`bounce`, `auto-reply`, `list`, `loop`, ...), or `""`.
    """

    id: str
    workspace_id: str
    reverse_path: str
    helo: str
    peer: str
    protocol: str
    tls: str
    received_by: str
    size: int
    received_at: Micros
    rfc_message_id: str
    reference_ids: str
    from_address: str
    from_name: str
    subject: str
    sent_at: Micros | None
    automatic: str


@dataclass(frozen=True, slots=True)
class Ticket:
    """A conversation at one address. `number` is unique within the workspace.

    `automatic` is why the first message is automatic, or `""` if a person wrote any message. `unanswered_since` is when
    the oldest unanswered reply arrived, or None if it is the first message; agents never change it.
    """

    id: str
    workspace_id: str
    number: int
    alias_id: str | None
    address: str
    subject: str
    from_address: str
    from_name: str
    received_at: Micros
    updated_at: Micros
    status: TicketStatus = "open"
    assigned_to: str | None = None
    claimed_at: Micros | None = None
    resolved_at: Micros | None = None
    priority: TicketPriority = "normal"
    automatic: str = ""
    unanswered_since: Micros | None = None
    tags: tuple[Tag, ...] = field(default=(), metadata={"related": True})

    @property
    def waiting_since(self) -> Micros | None:
        """When the oldest unanswered message arrived; None unless the ticket is open or in progress."""
        since = self.received_at if self.unanswered_since is None else self.unanswered_since
        return since if self.status in ("open", "in_progress") else None


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """A message in a ticket, with a row for each recipient at its alias. `sequence` is that of the message's event."""

    ticket_id: str
    message_id: str
    recipient: str
    alias_id: str | None
    tag: str
    joined_by: str
    sequence: int
    created_at: Micros


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """An event of a ticket.

    Attributes:
        sequence: The number of the event in its ticket, from 1 in the order of the commits. It never changes.
        actor_id: The id of the user, API key or message; None for `system`.
        user_id: The user who acted, also with an API key; None without a user.
    """

    id: str
    ticket_id: str
    workspace_id: str
    sequence: int
    at: Micros
    type: TicketEventType
    actor_type: ActorType
    actor_id: str | None
    user_id: str | None
    detail: str
    actor_name: str = field(default="", metadata={"joined": True})


@dataclass(frozen=True, slots=True)
class Delivery:
    """A ticket event to be posted to an integration; a row of the outbox."""

    id: str
    workspace_id: str
    ticket_id: str
    message_id: str
    integration_id: str
    event: DeliveryEvent
    created_at: Micros
    expires_at: Micros
    next_attempt_at: Micros | None
    parked_at: Micros | None = None
    state: DeliveryState = "pending"
    attempts: int = 0
    claims: int = 0
    delivered_at: Micros | None = None
    via: str = ""
    last_error: str = ""

    @property
    def parked(self) -> bool:
        """Whether the delivery waits until its failing integration works again."""
        return self.parked_at is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send a delivery, recorded with the outcome `open` before the request, and updated afterwards.

    `latency` is in microseconds. `answer` is the start of the response body, or else the reason of the failure.
    """

    delivery_id: str
    n: int
    started_at: Micros
    finished_at: Micros | None
    outcome: str
    status: int | None
    latency: int | None
    answer: str


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

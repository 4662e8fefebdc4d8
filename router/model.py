"""The words of the product as frozen values: one class for each thing SPEC.md section 2 names.

Field names are the column names of `store/migrations`, so that a row becomes its value without a translation
table. Times are microseconds since the epoch (`Micros`), `None` while they have not come; a text that a mail lacks
is `""`. Ids are text with a prefix (`router.ids`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Micros = int

Role = Literal["admin", "agent", "viewer"]
DomainStatus = Literal["pending_verification", "active"]
MxManaged = Literal["here", "upstream"]
IntegrationStatus = Literal["active", "failing"]
AliasStatus = Literal["active", "disabled"]
TicketStatus = Literal["open", "in_progress", "waiting", "resolved"]
DeliveryState = Literal["pending", "delivered", "dead"]
DeliveryEvent = Literal["opened", "replied"]
TICKET_STATUSES: tuple[TicketStatus, ...] = ("open", "in_progress", "waiting", "resolved")
DELIVERY_STATES: tuple[DeliveryState, ...] = ("pending", "delivered", "dead")


@dataclass(frozen=True, slots=True)
class Workspace:
    """The tenant: users, keys, domains, integrations, aliases and tickets belong to exactly one.

    timezone: an IANA name. locale: a tag of `router.local_time.LOCALES`, for dates.
    """

    id: str
    name: str
    default_integration_id: str | None
    last_ticket_number: int
    created_at: Micros
    timezone: str = "UTC"
    locale: str = "en"


@dataclass(frozen=True, slots=True)
class User:
    """A person of a workspace. `email` is unique over all workspaces: it is what one signs in with.

    timezone: an IANA name, None for the workspace's.
    """

    id: str
    workspace_id: str
    email: str
    name: str
    role: Role
    password_hash: str | None
    created_at: Micros
    disabled_at: Micros | None
    timezone: str | None = None


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key, bound to a user. Only its SHA-256 is kept; `hint` is the part that may be shown again."""

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
    """Who asks: a user by a key or a session (`user_id` set), or the operator at the command line (`user_id` None).

    address: where the request came from, for the audit; `""` at the command line.
    """

    workspace_id: str
    role: Role
    user_id: str | None = None
    key_id: str | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class Domain:
    """A mail domain of a workspace. `name` is the A-label form in lower case; `records` the last check as JSON.

    mx_managed: `upstream` when another relay's MX records get the mail first, so that TXT alone is the proof. misses,
    missing_since: rechecks in a row that found neither record, and the first of them. alert: what the integrations
    are still to be told, `alert_at` None when there is nothing.
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


@dataclass(frozen=True, slots=True)
class Integration:
    """A place that tickets are posted to. `sealed_settings` is encrypted JSON; `hint` shows the target, masked."""

    id: str
    workspace_id: str
    type: str
    name: str
    sealed_settings: str
    hint: str
    status: IntegrationStatus
    last_error: str
    failing_since: Micros | None
    probe_at: Micros | None
    probe_interval: int
    paced_at: Micros
    lease_until: Micros
    created_at: Micros


@dataclass(frozen=True, slots=True)
class Alias:
    """Local part + domain -> integration. `local_key` is what mail is matched by; `*` is the catch-all."""

    id: str
    workspace_id: str
    domain_id: str
    domain: str
    local_part: str
    local_key: str
    integration_id: str | None
    status: AliasStatus
    created_at: Micros

    @property
    def email(self) -> str:
        """The address as its owner wrote it."""
        return f"{self.local_part}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Message:
    """One received mail without its octets: the envelope and what its header said.

    `reference_ids` is a JSON list. `automatic` is `""` for a person's mail, else the reason
    (`bounce`, `auto-reply`, `list`, `loop`, ...). `protocol` is the word of RFC 3848 (`ESMTPS`, ...).
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
    """The conversation that a message opened or joined, for one alias; `address` is that alias as text."""

    id: str
    workspace_id: str
    number: int
    alias_id: str | None
    address: str
    subject: str
    from_address: str
    from_name: str
    status: TicketStatus
    assigned_to: str | None
    claimed_at: Micros | None
    resolved_at: Micros | None
    received_at: Micros
    updated_at: Micros


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """One recipient's share of a message in a ticket: two recipients of one alias are two rows of one ticket."""

    ticket_id: str
    message_id: str
    recipient: str
    alias_id: str | None
    tag: str
    joined_by: str
    created_at: Micros


@dataclass(frozen=True, slots=True)
class TicketEvent:
    """What happened to a ticket: `opened`, `replied`, `claimed`, `status`, `note`, ... `detail` is JSON."""

    id: str
    ticket_id: str
    workspace_id: str
    at: Micros
    kind: str
    user_id: str | None
    detail: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One ticket event owed to one integration: the outbox row."""

    id: str
    workspace_id: str
    ticket_id: str
    message_id: str
    integration_id: str
    event: DeliveryEvent
    state: DeliveryState
    attempts: int
    claims: int
    next_attempt_at: Micros | None
    expires_at: Micros
    parked_at: Micros | None
    delivered_at: Micros | None
    via: str
    last_error: str
    created_at: Micros


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to send a delivery: opened before the request, closed after. `outcome` is `open` in between."""

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
    """Who changed what: `action` is `noun.verb`, `target` the id of what was changed, `detail` JSON without secrets."""

    id: str
    workspace_id: str
    at: Micros
    user_id: str | None
    key_id: str | None
    address: str
    action: str
    target: str
    detail: str


@dataclass(frozen=True, slots=True)
class BlockedSender:
    """A sender that a workspace takes no mail from: an address, `@domain` or a network."""

    sender: str
    created_at: Micros

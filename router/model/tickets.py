"""Messages, the tickets that they open and join, and the events of tickets."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.enumerations import ActorType, MessageDirection, MessageKind, TicketEventType, TicketPriority, TicketStatus
from router.model.time import Micros
from router.tag import Tag


@dataclass(frozen=True, slots=True)
class Message:
    """A message without its content: the envelope and header fields. Most are received, some are sent by a user.

    Attributes:
        protocol: The `with` value of the Received field (RFC 5321, 3848 and 6531), or `TEST`.
        reference_ids: A JSON list of Message-IDs in In-Reply-To and References.
        automatic: Why the message counts as automatic (`bounce`, `auto-reply`, `list`, `loop`, ...), or `""`.
        user_id: The author of a message that a user sends.
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
    direction: MessageDirection = "inbound"
    kind: MessageKind = "mail"
    user_id: str | None = None

    @property
    def is_composed(self) -> bool:
        """Whether the message was composed here. Users also answer from other mail programs; those are received."""
        return self.direction == "outbound" and not self.protocol


@dataclass(frozen=True, slots=True)
class Ticket:
    """A conversation at one address. `number` is unique within the workspace.

    `automatic` is why the first message is automatic, or `""` if a person wrote any message. `unanswered_since` is when
    the oldest unanswered reply arrived, or None if it is the first message; agents never change it. `spam` is 1 if the
    ticket is held as spam, since `spam_at` because of `spam_reason`. `flagged` is 1 if a message has a warning.
    `first_replied_at` is when the first reply was handed over to the smarthost.
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
    spam: int = 0
    spam_reason: str = ""
    spam_at: Micros | None = None
    flagged: int = 0
    first_replied_at: Micros | None = None
    tags: tuple[Tag, ...] = field(default=(), metadata={"related": True})

    @property
    def waiting_since(self) -> Micros | None:
        """When the oldest unanswered message arrived; None unless the ticket is open or in progress."""
        since = self.received_at if self.unanswered_since is None else self.unanswered_since
        return since if self.status in ("open", "in_progress") else None


@dataclass(frozen=True, slots=True)
class TicketMessage:
    """A message in a ticket, with a row for each recipient at its alias.

    `sequence` is that of the message's event, `warning` what the reader is warned of, or `""`. `new_sender` is 1 if the
    sender was no participant of the ticket, and joined by a token or by a Message-ID of ours.
    """

    ticket_id: str
    message_id: str
    recipient: str
    alias_id: str | None
    tag: str
    joined_by: str
    sequence: int
    created_at: Micros
    warning: str = ""
    new_sender: int = 0


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

"""Replies to customers, and what they are made from."""

from __future__ import annotations

from dataclasses import dataclass

from router.enumerations import (
    ActorType,
    RecipientField,
    ReplyKind,
    ReplyState,
    SmarthostStatus,
    TemplateMode,
    TicketStatus,
)
from router.model.time import Micros


@dataclass(frozen=True, slots=True)
class TicketReply:
    """A mail to customers. `message_id` is the row of its content, which is deleted when the reply is canceled.

    Attributes:
        ticket_status: The status that the ticket takes when the reply leaves the state `queued`.
        draft: What the author wrote, as JSON, for the draft after it was canceled.
        sent_at: When the first recipient was handed over to the smarthost.
    """

    id: str
    workspace_id: str
    ticket_id: str
    message_id: str
    state: ReplyState
    actor_type: ActorType
    actor_id: str | None
    user_id: str | None
    send_at: Micros
    created_at: Micros
    kind: ReplyKind = "reply"
    ticket_status: TicketStatus | None = None
    draft: str = "{}"
    sent_at: Micros | None = None
    last_error: str = ""


@dataclass(frozen=True, slots=True)
class ReplyRecipient:
    """A recipient of a reply, with an SMTP transaction of its own, the delivery `delivery_id`.

    Attributes:
        address_key: The address in the form for comparison.
        token: The token in the envelope sender.
        code, text: The last answer: an SMTP reply code, and a text.
    """

    reply_id: str
    workspace_id: str
    address: str
    address_key: str
    field: RecipientField
    token: str
    delivery_id: str
    state: ReplyState
    code: int | None = None
    text: str = ""
    at: Micros | None = None


@dataclass(frozen=True, slots=True)
class Smarthost:
    """What is known of a smarthost. `id` is `installation`, or the id of a domain; `url` has no password.

    `rejects_token_sender` is 1 if it accepts only the alias as the envelope sender.
    """

    id: str
    url: str
    status: SmarthostStatus = "active"
    last_error: str = ""
    failing_since: Micros | None = None
    probe_at: Micros | None = None
    probe_interval: int = 0
    rejects_token_sender: int = 0


@dataclass(frozen=True, slots=True)
class Upload:
    """A file for a reply that is not sent yet. `size` is in bytes."""

    id: str
    workspace_id: str
    user_id: str | None
    filename: str
    content_type: str
    size: int
    created_at: Micros


@dataclass(frozen=True, slots=True)
class Template:
    """A text with placeholders for whole replies and acknowledgements."""

    id: str
    workspace_id: str
    name: str
    subject: str
    body: str
    mode: TemplateMode
    created_at: Micros
    updated_at: Micros


@dataclass(frozen=True, slots=True)
class CannedResponse:
    """A text with placeholders for a part of a reply, for one alias or for all of them."""

    id: str
    workspace_id: str
    alias_id: str | None
    title: str
    body: str
    created_at: Micros
    updated_at: Micros

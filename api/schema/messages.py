"""Models of messages, their search and their trace."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field

from api.schema.sender_checks import ChecksAnswer
from api.schema.shape import Answer, BoolParameter, QueryParameters, Time, iso
from router.admin.tickets.conversation import MessageView
from router.enumerations import MessageDirection, MessageKind
from router.mail.auth_results import AuthMethod, AuthWord


class MessageSearchParameters(QueryParameters):
    """Search parameters."""

    q: str = Field(
        description="Message id (`msg_...`), Message-ID with or without angle brackets, or ticket id or number.",
        examples=["#12"],
    )


class RawParameters(QueryParameters):
    """Parameters of the download of a message."""

    original: BoolParameter = False
    """With `true`, returns exactly the bytes that were received: nothing is added or left out."""


class MessageRow(Answer):
    """A message in a list."""

    id: str
    """Id of the message (`msg_...`), also in the SMTP reply to the sender."""
    direction: MessageDirection
    """`inbound` for a received message, `outbound` for a reply."""
    from_address: str = Field(serialization_alias="from")
    """Address in the From field; empty without one. Unverified."""
    from_name: str
    """Display name in the From field; empty without one. Unverified."""
    reverse_path: str
    """Envelope sender (MAIL FROM); empty for bounces."""
    subject: str
    """Subject of the message; empty without one."""
    rfc_message_id: str
    """Message-ID without angle brackets; empty without one."""
    size: int
    """Size of the original message in bytes."""
    received_at: Time
    """When the message was accepted, or the reply created."""


class MessageList(Answer):
    """Matching messages."""

    messages: list[MessageRow]
    """Matching messages, newest first, at most 50."""


class RecheckAnswer(Answer):
    """A message that waits for another check of its sender."""

    id: str
    """Id of the message (`msg_...`)."""


class AttachmentAnswer(Answer):
    """An attachment of a message."""

    n: int
    """Number in the path of the download, from 1."""
    filename: str
    """File name, safe to store; never empty."""
    content_type: str
    """Media type that the sender declared."""
    size: int
    """Size in bytes after decoding."""
    inline: bool
    """Whether it is an image that is shown in the text."""


class MailboxAnswer(Answer):
    """A mailbox of a header field."""

    address: str
    """Email address."""
    name: str
    """Display name; empty without one."""


class MessageAnswer(Answer):
    """A message of the conversation."""

    id: str
    """Id of the message (`msg_...`)."""
    direction: MessageDirection
    """`inbound` for a received message, `outbound` for an answer of a user."""
    kind: MessageKind
    """`mail`, or `bounce` of a reply."""
    reply_id: str | None
    """Reply whose content the message is (`rpl_...`); null for other messages."""
    new_sender: bool
    """Whether the sender did not take part before, and joined by an address or Message-ID of a reply."""
    from_address: str = Field(serialization_alias="from")
    """Address in the From field; empty without one. Unverified."""
    from_name: str
    """Display name in the From field; empty without one. Unverified."""
    reply_to: list[MailboxAnswer]
    """Mailboxes in the Reply-To field, at most 20. Unverified."""
    original_from: MailboxAnswer | None
    """Author, if a group, list or relay replaced the From field; null otherwise. Unverified."""
    recipients: list[str]
    """Recipient addresses that link the message to this ticket."""
    tag: str
    """Tag in the recipient address, such as `vip` in `support+vip@example.com`; empty without one."""
    subject: str
    """Subject of the message; empty without one."""
    text: str
    """New text, without quoted text and signature."""
    quoted: str
    """Quoted text and signature; empty without any."""
    html: str
    """Sanitised HTML with the sender's styles; empty without any. Show it only in a sandboxed frame. The address of a
    remote picture begins with `remote:`, so that nothing loads it; remove the prefix to load the picture."""
    attachments: list[AttachmentAnswer]
    """Attachments, at most 200."""
    auth: dict[AuthMethod, AuthWord]
    """Results of sender authentication by method (RFC 8601), without the methods that have none. Empty for a message
    that is not checked yet, or that was received before sender checks were enabled."""
    checks: ChecksAnswer
    """Checks of the sender."""
    automatic: str
    """Why the message counts as automatic, such as `bounce`, `auto-reply`, `list` or `loop`; empty for a person's
    message.
    """
    warnings: list[str]
    """What was repaired, guessed or truncated when the message was read, as texts."""
    failed_recipients: list[str]
    """Undeliverable addresses that a bounce reports."""
    size: int
    """Size of the original message in bytes."""
    sent_at: Time | None
    """Time in the Date field; null without a valid one. Unverified."""
    received_at: Time
    """When the message was accepted."""

    @classmethod
    def from_view(cls, view: MessageView) -> Self:
        recipients = [link.recipient for link in view.links]
        tag = next((link.tag for link in view.links if link.tag), "")
        # The size is that of the message.
        return cls.from_model(
            view.message,
            view.contents,
            recipients=recipients,
            tag=tag,
            reply_id=view.reply.reply.id if view.reply is not None else None,
            new_sender=view.is_new_sender,
            auth=view.checks.results.words(),
            checks=ChecksAnswer.from_view(view),
        )


def _format_times(detail: dict[str, Any]) -> dict[str, Any]:
    times = {name: iso(detail[name]) for name in ("nextAttemptAt",) if detail.get(name) is not None}
    return detail | times


class TraceEventAnswer(Answer):
    """An event of a message."""

    at: Time
    """When the event happened."""
    event: str
    """`received`, `opened` or `joined` (a ticket), `checked` (the sender), `spam` (its ticket is held as spam),
    `delivery` (queued), `attempt` or `delivered`. Of a reply: `composed`, `delivery`, `attempt` or `sent`. Of a bounce:
    also `bounced`, `delayed` or `delivery_report`."""
    detail: Annotated[dict[str, str | bool | int | None], BeforeValidator(_format_times)]
    """Values of the event by name."""


class TraceAnswer(Answer):
    """Events of a message in chronological order."""

    message_id: str
    """Id of the message (`msg_...`)."""
    tickets: list[str] = Field(validation_alias="ticket_ids")
    """Ids of the tickets that the message opened or joined."""
    events: list[TraceEventAnswer]
    """Events, oldest first."""

"""Writes a new reply: its message, its recipients and their deliveries, all in the transaction of the caller.

The content is complete and final. Only its signature is added when it is sent (docs/decisions/0045-replies.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.accept.transaction import chunk_statements
from router.errors import not_found_error
from router.mail.mailboxes import normalize_address
from router.model import Delivery, Message, Micros, ReplyRecipient, TicketReply
from router.store.database import Statement, StatementGenerator
from router.store.fragments import model_values


@dataclass(frozen=True, slots=True)
class NewReply:
    """A composed reply.

    Attributes:
        message: The row of its content, with the direction `outbound`.
        sender_address: The address in From. As the recipient of the row in `ticket_messages`, it links the message.
        thread_key: See `router.accept.incoming.AcceptEntry`. Answers with this key find the ticket.
        smarthost_id: The id in `smarthosts` that the deliveries go to.
        expires_at: The latest time of an attempt.
    """

    reply: TicketReply
    message: Message
    content: bytes
    recipients: tuple[ReplyRecipient, ...]
    alias_id: str | None
    sender_address: str
    thread_key: str
    smarthost_id: str
    expires_at: Micros

    @property
    def to(self) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.field == "to")

    @property
    def cc(self) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.field == "cc")


def insert_reply(new: NewReply) -> StatementGenerator[int]:
    """Writes a reply; returns the sequence of its message in the ticket. Locks the ticket until the commit.

    Raises:
        Refused: `not_found` if the ticket was erased.
    """
    reply = new.reply
    touched = yield Statement("reply_touch_ticket", [{"ticket_id": reply.ticket_id, "at": reply.created_at}])
    if not touched:
        raise not_found_error("Ticket")
    sequence: int = touched[0]["last_sequence"]
    yield Statement("reply_insert_message", [model_values(new.message) | {"aliases": 1, "repeated": 0}])
    yield from chunk_statements({new.message.id: new.content})
    yield Statement("reply_insert_link", [_link(new, sequence)])
    yield Statement("reply_insert", [model_values(reply)])
    yield from insert_recipients(new.recipients, reply.ticket_id)
    yield from insert_deliveries(new.recipients, reply, smarthost_id=new.smarthost_id, expires_at=new.expires_at)
    return sequence


def insert_recipients(recipients: Sequence[ReplyRecipient], ticket_id: str) -> StatementGenerator[None]:
    """Writes recipients of a reply. They become participants of the ticket, so that their answers join it."""
    yield Statement("reply_insert_recipient", [model_values(recipient) for recipient in recipients])
    participants = dict.fromkeys(normalize_address(recipient.address) for recipient in recipients)
    yield Statement(
        "accept_insert_participant", [{"ticket_id": ticket_id, "address": address} for address in participants]
    )


def insert_deliveries(
    recipients: Sequence[ReplyRecipient], reply: TicketReply, *, smarthost_id: str, expires_at: Micros
) -> StatementGenerator[None]:
    """Queues the mail to each recipient, due at `reply.send_at`."""
    yield Statement(
        "reply_insert_delivery",
        [
            model_values(
                Delivery(
                    id=recipient.delivery_id,
                    workspace_id=reply.workspace_id,
                    ticket_id=reply.ticket_id,
                    message_id=reply.message_id,
                    integration_id=smarthost_id,
                    event="reply",
                    created_at=reply.created_at,
                    expires_at=expires_at,
                    next_attempt_at=reply.send_at,
                    target="smarthost",
                )
            )
            for recipient in recipients
        ],
    )


def _link(new: NewReply, sequence: int) -> dict[str, object]:
    return {
        "ticket_id": new.reply.ticket_id,
        "message_id": new.message.id,
        "recipient": new.sender_address,
        "alias_id": new.alias_id,
        "tag": "",
        "joined_by": new.reply.id,
        "sequence": sequence,
        "created_at": new.reply.created_at,
        "rfc_message_id": new.message.rfc_message_id,
        "thread_key": new.thread_key,
        "integration_id": None,
    }

"""Composes a reply for a ticket: the content, its identities and its recipients. Writes nothing.

The quoted message, the signature and the references come from the database, and the rest from the caller.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.enumerations import ActorType, RecipientField, ReplyKind, TicketStatus
from router.mail.compose.mail import OutgoingFile
from router.model import Micros, Ticket
from router.replies.new_reply import NewReply


@dataclass(frozen=True, slots=True)
class ReplyAuthor:
    """Who sends a reply. `name` is shown in From."""

    actor_type: ActorType
    actor_id: str | None = None
    user_id: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class ReplyAddress:
    """A recipient of a reply."""

    address: str
    name: str = ""
    field: RecipientField = "to"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyMail:
    """What a reply consists of.

    Attributes:
        subject: None for that of the newest message, with `Re: `.
        text: The text without quoted text and signature.
        html: The same as HTML, or `""`.
        quote: Whether the newest message of the customer is quoted.
        kind: An acknowledgement is marked as automatic, has the null envelope sender and no signature of a person.
        ticket_status: The status that the ticket takes when the reply leaves the state `queued`.
        draft: What the author wrote, as JSON, for the draft after it was canceled.
    """

    recipients: Sequence[ReplyAddress]
    text: str
    html: str = ""
    subject: str | None = None
    quote: bool = True
    files: Sequence[OutgoingFile] = ()
    kind: ReplyKind = "reply"
    ticket_status: TicketStatus | None = None
    draft: str = "{}"
    send_at: Micros


class ReplyBuilder:
    """Composes replies. Built by `Core`; used for replies of people and for acknowledgements."""

    async def build(self, ticket: Ticket, mail: ReplyMail, author: ReplyAuthor) -> NewReply:
        """Composes a reply.

        Raises:
            Refused: `sending_not_set_up`, or a field cannot be a header field.
        """
        raise NotImplementedError

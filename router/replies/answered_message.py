"""Reads what a reply answers: the newest mails of the customer in a ticket, and the Message-IDs of the conversation."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from router.mail.compose.references import MAX_REFERENCES
from router.mail.mailboxes import normalize_address
from router.model import Micros
from router.store.database import QueryExecutor, Row

# The newest received mails among which the answered one is searched.
MAX_CANDIDATES = 50


@dataclass(frozen=True, slots=True)
class TicketMail:
    """A received mail of a ticket.

    Attributes:
        automatic: See `Message`.
        is_new_sender: Whether its author joined the ticket as a stranger.
        recipient: The address of ours to which it was sent, with its `tag`.
    """

    message_id: str
    sequence: int
    rfc_message_id: str
    from_address: str
    from_name: str
    subject: str
    sent_at: Micros
    automatic: str
    is_new_sender: bool
    recipient: str
    tag: str

    @property
    def is_customers(self) -> bool:
        """Whether a person wrote it."""
        return self.automatic == ""


async def read_received(executor: QueryExecutor, ticket_id: str) -> list[TicketMail]:
    """Returns the newest mails that a ticket received, newest first. Bounces of our mail are not among them."""
    rows = await executor.fetch_all("reply_received_mails", ticket_id=ticket_id, limit=MAX_CANDIDATES)
    by_id: dict[str, TicketMail] = {}
    for row in rows:  # one row for each recipient
        by_id.setdefault(row["message_id"], _from_row(row))
    return list(by_id.values())


async def read_conversation_ids(executor: QueryExecutor, ticket_id: str) -> list[str]:
    """Returns the newest Message-IDs of a ticket, oldest first."""
    rows = await executor.fetch_all("reply_conversation_ids", ticket_id=ticket_id, limit=MAX_REFERENCES * 2)
    return [row["rfc_message_id"] for row in reversed(rows)]


def choose_answered(received: Sequence[TicketMail], recipients: Collection[str] = ()) -> TicketMail | None:
    """Returns the mail that a reply answers: the newest one of a person.

    A stranger's mail is answered only if its author is one of the recipients: it is not quoted to others. Automatic
    mail is answered if there is nothing else, but never a bounce.

    Args:
        recipients: Addresses, normalised.
    """
    allowed = [
        mail
        for mail in received
        if mail.automatic != "bounce" and (not mail.is_new_sender or normalize_address(mail.from_address) in recipients)
    ]
    return next((mail for mail in allowed if mail.is_customers), next(iter(allowed), None))


def find_newest_customers(received: Sequence[TicketMail]) -> TicketMail | None:
    """Returns the newest mail that a person wrote, strangers included; without one, the newest mail."""
    return next((mail for mail in received if mail.is_customers), next(iter(received), None))


def _from_row(row: Row) -> TicketMail:
    return TicketMail(
        message_id=row["message_id"],
        sequence=row["sequence"],
        rfc_message_id=row["rfc_message_id"],
        from_address=row["from_address"],
        from_name=row["from_name"],
        subject=row["subject"],
        sent_at=row["received_at"],
        automatic=row["automatic"],
        is_new_sender=bool(row["new_sender"]),
        recipient=row["recipient"],
        tag=row["tag"],
    )

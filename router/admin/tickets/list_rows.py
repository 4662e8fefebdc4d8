"""What a list shows of its tickets: the newest message, the number of messages, and what a user has not read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from router.model import Actor, Micros, Ticket
from router.store.database import Database, Row

Unread = Literal["", "new", "reply"]
# Of the newest messages of each ticket, this many are counted and searched for attachments.
MAX_MESSAGES = 100


@dataclass(frozen=True, slots=True)
class TicketRow:
    """A ticket in a list.

    Attributes:
        snippet: The start of the new text of the newest message; `""` until the message is parsed.
        has_attachments: Whether a message has an attachment that is not an image in its text.
        message_count: Up to `MAX_MESSAGES`.
        unread: `new` if the user has read no message of the ticket, `reply` if the newest message is unread.
        newest_from: The name of the sender of the newest message, or else the address.
        is_answered: Whether the newest message is ours.
    """

    ticket: Ticket
    snippet: str
    has_attachments: bool
    message_count: int
    unread: Unread
    newest_message_at: Micros
    newest_from: str
    is_answered: bool = False


@dataclass(frozen=True, slots=True)
class ReadMark:
    """What a user has read of a ticket: messages up to a sequence, else those received up to a time (None: no user)."""

    sequence: int | None
    since: Micros | None

    def is_unread(self, sequence: int, received_at: Micros) -> bool:
        """Whether a message is unread."""
        if self.since is None:
            return False
        return received_at > self.since if self.sequence is None else sequence > self.sequence


@dataclass(frozen=True, slots=True)
class ReadState:
    """What the messages of a ticket, and the reads of a user, say about unread messages.

    A ticket whose newest message is an answer of a user (`is_answered`) is not unread.
    """

    received_at: Micros
    newest_at: Micros
    newest_sequence: int
    read_sequence: int | None
    is_answered: bool = False

    def unread(self, since: Micros | None) -> Unread:
        """Returns the mark for a user for whom messages count as unread since a time; None is no user.

        A stored read takes precedence over the time.
        """
        if since is None or self.is_answered:
            return ""
        if self.read_sequence is not None:
            if self.newest_sequence <= self.read_sequence:
                return ""
            return "reply" if self.read_sequence > 0 else "new"
        if self.newest_at <= since:
            return ""
        return "new" if self.received_at > since else "reply"


async def read_previews(database: Database, actor: Actor, ticket_ids: Sequence[str]) -> Mapping[str, Row]:
    """Returns the rows of the query `ticket_previews` by ticket id. A ticket that was erased has none."""
    rows = await database.fetch_all(
        "ticket_previews", ids=json.dumps(list(ticket_ids)), user_id=actor.user_id or "", max_messages=MAX_MESSAGES
    )
    return {row["ticket_id"]: row for row in rows}


async def read_unread_since(database: Database, actor: Actor) -> Micros | None:
    """Returns the time from which messages count as unread by the actor's user; None without a user."""
    if actor.user_id is None:
        return None
    row = await database.fetch_one("ticket_read_since", user_id=actor.user_id, workspace_id=actor.workspace_id)
    return None if row is None else max(row["unread_since"], row["created_at"])


def read_state(ticket: Ticket, preview: Row) -> ReadState:
    return ReadState(
        ticket.received_at,
        preview["newest_at"],
        preview["newest_sequence"],
        preview["read_sequence"],
        is_answered=preview["direction"] == "outbound",
    )


def ticket_row(ticket: Ticket, preview: Row | None, since: Micros | None) -> TicketRow:
    """Returns the row of a ticket. Without a preview, the ticket was erased after it was listed."""
    if preview is None:
        return TicketRow(ticket, "", False, 0, "", ticket.received_at, ticket.from_name or ticket.from_address)
    return TicketRow(
        ticket=ticket,
        snippet=preview["snippet"],
        has_attachments=preview["files"] > 0,
        message_count=preview["messages"],
        unread=read_state(ticket, preview).unread(since),
        newest_message_at=preview["newest_at"],
        newest_from=preview["from_name"] or preview["from_address"],
        is_answered=preview["direction"] == "outbound",
    )

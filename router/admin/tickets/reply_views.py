"""Reads replies with their recipients, for lists, timelines and the outbox."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import get_args

from router.admin import ticket_events
from router.enumerations import RecipientField
from router.model import Attempt, Message, Micros, ReplyRecipient, TicketReply
from router.store.database import QueryExecutor, Row, fetch_models, model_from_row

MAX_ATTEMPTS = 200  # the newest ones of a reply
_FIELDS: tuple[RecipientField, ...] = get_args(RecipientField)


@dataclass(frozen=True, slots=True)
class ReplyAttempt:
    """An attempt to submit a reply to the smarthost. `attempt.status` is the SMTP reply code.

    `address` is the recipient; `""` if another address has replaced it.
    """

    address: str
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class ReplyView:
    """A reply with its recipients.

    Attributes:
        subject: `""` for a canceled reply, whose message is deleted.
        author_name: The name of its author, or else the email address.
        attempts: Up to `MAX_ATTEMPTS` of the newest attempts, oldest first; empty in lists.
        next_attempt_at: When the next attempt is due; None if none is planned.
    """

    reply: TicketReply
    recipients: tuple[ReplyRecipient, ...]
    ticket_number: int
    subject: str
    author_name: str
    attempts: tuple[ReplyAttempt, ...] = ()
    next_attempt_at: Micros | None = None

    @property
    def to(self) -> tuple[str, ...]:
        return self._addresses("to")

    @property
    def cc(self) -> tuple[str, ...]:
        return self._addresses("cc")

    @property
    def bcc(self) -> tuple[str, ...]:
        return self._addresses("bcc")

    def _addresses(self, field: RecipientField) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.field == field)


async def read_views(executor: QueryExecutor, rows: Sequence[Row]) -> list[ReplyView]:
    """Returns the replies of rows of `reply_page`, `reply_by_id` or `replies_by_messages`, in their order."""
    by_reply: dict[str, list[ReplyRecipient]] = {row["id"]: [] for row in rows}
    recipients = await fetch_models(
        executor, ReplyRecipient, "reply_recipients_of", ids=json.dumps([row["id"] for row in rows])
    )
    for recipient in recipients:
        by_reply[recipient.reply_id].append(recipient)
    return [_view(row, by_reply[row["id"]]) for row in rows]


async def read_by_messages(executor: QueryExecutor, items: Iterable[object]) -> dict[str, ReplyView]:
    """Returns the replies whose content is one of the messages among `items`, by message id."""
    sent = [item.id for item in items if isinstance(item, Message) and item.direction == "outbound"]
    if not sent:
        return {}
    rows = await executor.fetch_all("replies_by_messages", ids=json.dumps(sent))
    return {view.reply.message_id: view for view in await read_views(executor, rows)}


async def read_attempts(executor: QueryExecutor, reply: TicketReply) -> tuple[ReplyAttempt, ...]:
    rows = await executor.fetch_all(
        "reply_attempts", ticket_id=reply.ticket_id, message_id=reply.message_id, limit=MAX_ATTEMPTS
    )
    return tuple(ReplyAttempt(row["address"] or "", model_from_row(Attempt, row)) for row in reversed(rows))


def _view(row: Row, recipients: list[ReplyRecipient]) -> ReplyView:
    reply = model_from_row(TicketReply, row)
    return ReplyView(
        reply=reply,
        # The ids of deliveries follow the order in which the author wrote the addresses.
        recipients=tuple(sorted(recipients, key=lambda each: (_FIELDS.index(each.field), each.delivery_id))),
        ticket_number=row["ticket_number"],
        subject=row["subject"],
        author_name=row["author_name"] or _name_missing(reply),
        next_attempt_at=row["next_attempt_at"],
    )


def _name_missing(reply: TicketReply) -> str:
    return "Acknowledgement" if reply.kind == "acknowledgement" else ticket_events.name_missing(reply.actor_type)

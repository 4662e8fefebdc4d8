"""The states of replies and of their recipients, as statements of the transaction of submissions.

The transaction has locked the tickets, so the states of their replies do not change meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router.enumerations import ReplyKind, ReplyState
from router.model import Micros
from router.replies.events import ReplyEvent, ReplyPost, queue_reply_posts, record_reply_events, reopen_tickets
from router.replies.state import aggregate
from router.store.database import Row, Statement, StatementGenerator


@dataclass(frozen=True, slots=True)
class ReplyChange:
    """A reply whose recipients have changed. `last_error` and `sent_at` are None if they stay."""

    reply_id: str
    last_error: str | None = None
    sent_at: Micros | None = None


@dataclass(frozen=True, slots=True)
class FailedRecipient:
    """A recipient to whom a reply is not sent. `code` is the reply code of the smarthost, if it has answered."""

    delivery_id: str
    ticket_id: str
    message_id: str
    reply_id: str
    kind: ReplyKind
    address: str
    code: int | None
    text: str

    @classmethod
    def from_row(cls, row: Row, *, code: int | None, text: str) -> FailedRecipient:
        """Builds the value from a row of `submission_read`."""
        return cls(
            row["delivery_id"],
            row["ticket_id"],
            row["message_id"],
            row["reply_id"],
            row["kind"],
            row["address"],
            code,
            text,
        )


def update_replies(changes: Iterable[ReplyChange]) -> StatementGenerator[None]:
    """Gives the replies the states that follow from their recipients."""
    by_id: dict[str, ReplyChange] = {}
    for change in changes:
        known = by_id.get(change.reply_id, change)
        by_id[change.reply_id] = ReplyChange(
            change.reply_id, change.last_error or known.last_error, change.sent_at or known.sent_at
        )
    ordered = sorted(by_id)
    rows = yield Statement("submission_recipients", [{"reply_id": each} for each in ordered])
    states: dict[str, list[ReplyState]] = {}
    for row in rows:
        states.setdefault(row["reply_id"], []).append(row["state"])
    yield Statement(
        "submission_set_reply",
        [
            {
                "reply_id": each,
                "state": aggregate(states[each]),
                "last_error": "" if set(states[each]) == {"sent"} else by_id[each].last_error,
                "sent_at": by_id[each].sent_at,
            }
            for each in ordered
            if each in states
        ],
    )


def record_failures(
    failures: Sequence[FailedRecipient], now: Micros, *, max_age: Micros
) -> StatementGenerator[list[str]]:
    """Fails recipients with their deliveries, reopens their tickets, and queues posts; returns integrations to wake.

    Acknowledgements fail without an event: nobody has written them.
    """
    yield Statement("dispatch_mark_dead", [{"id": each.delivery_id, "reason": each.text} for each in failures])
    yield Statement(
        "submission_set_recipient",
        [
            {"delivery_id": each.delivery_id, "state": "failed", "code": each.code, "text": each.text, "at": now}
            for each in failures
        ],
    )
    yield from update_replies([ReplyChange(each.reply_id, last_error=each.text) for each in failures])
    events = [
        ReplyEvent(
            each.ticket_id,
            "reply.failed",
            detail={"replyId": each.reply_id, "address": each.address, "code": each.code, "text": each.text},
        )
        for each in failures
        if each.kind == "reply"
    ]
    if not events:
        return []
    reopened = yield from reopen_tickets(events, now)
    yield from record_reply_events([*events, *reopened], now)
    posts = dict.fromkeys(
        ReplyPost(each.ticket_id, each.message_id, "reply_failed") for each in failures if each.kind == "reply"
    )
    return (yield from queue_reply_posts(list(posts), now, max_age=max_age))

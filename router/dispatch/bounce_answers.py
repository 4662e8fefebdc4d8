"""Posts messages that the accept transaction has taken for bounces of our mail, as statements of a transaction.

Some programs answer to the Return-Path: when a message turns out to be the answer of a person, it becomes an ordinary
message of its ticket. A report that names none of our recipients is posted like other automatic mail, because nothing
else tells of it.
"""

from __future__ import annotations

from router import ids
from router.mail.mailboxes import normalize_address
from router.model import Message, Micros
from router.replies.events import EventActor, ReplyEvent, record_reply_events, reopen_tickets
from router.store.database import Statement, StatementGenerator


def post_answer(
    message: Message, ticket_id: str, reply_id: str, now: Micros, *, max_age: Micros
) -> StatementGenerator[list[str]]:
    """Reopens the ticket and queues a post; returns the integrations to wake. The ticket is locked and exists."""
    yield Statement("bounce_make_mail", [{"message_id": message.id}])
    yield Statement("bounce_uncount", [{"reply_id": reply_id, "message_id": message.id}])
    key = {"ticket_id": ticket_id, "message_id": message.id}
    author = normalize_address(message.from_address)
    participants = yield Statement("accept_find_participants", [{"ticket_id": ticket_id, "address": author}])
    if not participants:
        yield Statement("accept_mark_new_sender", [key])
    is_spam = yield from _update_ticket(ticket_id, now, message.received_at)
    reason = ReplyEvent(ticket_id, "ticket.reopened", EventActor("mail", message.id), {"messageId": message.id})
    yield from record_reply_events((yield from reopen_tickets([reason], now)), now)
    return (yield from _queue_post(message, ticket_id, now, max_age=max_age, is_spam=is_spam))


def post_report(message: Message, ticket_id: str, now: Micros, *, max_age: Micros) -> StatementGenerator[list[str]]:
    """Queues a post without reopening the ticket; returns the integrations to wake. The ticket is locked."""
    is_spam = yield from _update_ticket(ticket_id, now, None)
    return (yield from _queue_post(message, ticket_id, now, max_age=max_age, is_spam=is_spam))


def _update_ticket(ticket_id: str, now: Micros, replied_at: Micros | None) -> StatementGenerator[bool]:
    """Returns whether the ticket is held as spam."""
    values = {"ticket_id": ticket_id, "received_at": now, "messages": 0, "replied_at": replied_at}
    (ticket,) = yield Statement("accept_join_ticket", [values])
    return bool(ticket["spam"])


def _queue_post(
    message: Message, ticket_id: str, now: Micros, *, max_age: Micros, is_spam: bool
) -> StatementGenerator[list[str]]:
    rows = yield Statement("reply_event_integration", [{"ticket_id": ticket_id}])
    if not rows:
        return []
    integration = rows[0]
    linked = {"ticket_id": ticket_id, "message_id": message.id, "integration_id": integration["integration_id"]}
    yield Statement("bounce_link_integration", [linked])
    is_parked = integration["status"] == "failing"
    is_due = not is_spam and not is_parked
    yield Statement(
        "accept_insert_delivery",
        [
            {
                "id": ids.new_id("dlv"),
                "workspace_id": message.workspace_id,
                "ticket_id": ticket_id,
                "message_id": message.id,
                "integration_id": integration["integration_id"],
                "event": "replied",
                "created_at": now,
                "expires_at": now + max_age,
                "next_attempt_at": now if is_due else None,
                "parked_at": now if is_parked and not is_spam else None,
                "state": "spam" if is_spam else "pending",
                "awaiting": None,
            }
        ],
    )
    return [integration["integration_id"]] if is_due else []

"""What happens to tickets and integrations when replies are sent, fail, bounce or are delayed.

These are statements of the transaction that changes the replies. They lock tickets in the order of their ids, so the
caller must lock no ticket with a greater id before. A ticket that was erased meanwhile is skipped.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from router import ids
from router.enumerations import ActorType, TicketEventType, TicketStatus
from router.model import Delivery, Micros, TicketEvent
from router.store.database import Statement, StatementGenerator
from router.store.fragments import model_values
from router.store.post_updates import queue_updates

# The events that change what a post shows of its ticket.
_WITH_UPDATE: frozenset[TicketEventType] = frozenset({"ticket.status_changed", "ticket.resolved", "ticket.reopened"})


@dataclass(frozen=True, slots=True)
class EventActor:
    """The author of an event: that of a reply, a bounce message, or the program itself (`system`)."""

    type: ActorType
    id: str | None = None
    user_id: str | None = None


SYSTEM = EventActor("system")


@dataclass(frozen=True, slots=True)
class ReplyEvent:
    """An event of a ticket that a reply causes.

    `detail` has the keys `replyId`, `address` (of the recipient), `code` and `text` (the answer of the mail server), as
    far as they apply. Values that are None are omitted.
    """

    ticket_id: str
    type: TicketEventType
    actor: EventActor = SYSTEM
    detail: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReplyPost:
    """A post that tells of the recipients of a reply whose `at` is the time of the transaction.

    `message_id` is the message of the reply.
    """

    ticket_id: str
    message_id: str
    event: Literal["reply_failed", "reply_bounced"]


def status_event_type(before: TicketStatus, after: TicketStatus) -> TicketEventType:
    """Returns the type of the event of a status that was changed."""
    if after == "resolved":
        return "ticket.resolved"
    return "ticket.reopened" if before == "resolved" else "ticket.status_changed"


def record_reply_events(events: Sequence[ReplyEvent], now: Micros) -> StatementGenerator[None]:
    """Records events in their order, and queues the updates of the posts that show what changed."""
    wanted = Counter(event.ticket_id for event in events)
    rows = yield Statement(
        "reply_event_reserve", [{"ticket_id": each, "wanted": wanted[each]} for each in sorted(wanted)]
    )
    workspaces = {row["ticket_id"]: row["workspace_id"] for row in rows}
    sequences = {row["ticket_id"]: row["last_sequence"] - wanted[row["ticket_id"]] for row in rows}
    recorded = []
    for event in events:
        if event.ticket_id in sequences:
            sequences[event.ticket_id] += 1
            recorded.append(_build_event(event, workspaces[event.ticket_id], sequences[event.ticket_id], now))
    yield Statement("ticket_event_insert", [model_values(each) for each in recorded])
    yield from queue_updates({each.ticket_id for each in recorded if each.type in _WITH_UPDATE}, now)


def _build_event(event: ReplyEvent, workspace_id: str, sequence: int, now: Micros) -> TicketEvent:
    details = {name: value for name, value in event.detail.items() if value is not None}
    return TicketEvent(
        id=ids.new_id("evt"),
        ticket_id=event.ticket_id,
        workspace_id=workspace_id,
        sequence=sequence,
        at=now,
        type=event.type,
        actor_type=event.actor.type,
        actor_id=event.actor.id,
        user_id=event.actor.user_id,
        detail=json.dumps(details, ensure_ascii=False),
    )


def reopen_tickets(reasons: Iterable[ReplyEvent], now: Micros) -> StatementGenerator[list[ReplyEvent]]:
    """Reopens the tickets of failed and bounced replies that are not open. Their assignees stay.

    Returns the events of these tickets, for `record_reply_events`. Their actor and detail are those of the reason.
    """
    by_ticket = {reason.ticket_id: reason for reason in reasons}
    ordered = sorted(by_ticket)
    rows = yield Statement("reply_event_lock_ticket", [{"ticket_id": each} for each in ordered])
    before = {row["ticket_id"]: row["status"] for row in rows if row["status"] != "open"}
    yield Statement("reply_event_reopen", [{"ticket_id": each, "now": now} for each in ordered if each in before])
    return [
        ReplyEvent(each, "ticket.reopened", by_ticket[each].actor, {**by_ticket[each].detail, "from": status})
        for each, status in before.items()
    ]


def queue_reply_posts(posts: Sequence[ReplyPost], now: Micros, *, max_age: Micros) -> StatementGenerator[list[str]]:
    """Queues posts about replies at the integrations of their aliases; returns the integrations to wake.

    `max_age` is how long a post is retried. A ticket whose alias was deleted has no integration.
    """
    ordered = sorted({post.ticket_id for post in posts})
    rows = yield Statement("reply_event_integration", [{"ticket_id": each} for each in ordered])
    targets = {row["ticket_id"]: row for row in rows}
    deliveries = []
    for post in posts:
        target = targets.get(post.ticket_id)
        if target is None:
            continue
        is_parked = target["status"] == "failing"
        deliveries.append(
            Delivery(
                id=ids.new_id("dlv"),
                workspace_id=target["workspace_id"],
                ticket_id=post.ticket_id,
                message_id=post.message_id,
                integration_id=target["integration_id"],
                event=post.event,
                created_at=now,
                expires_at=now + max_age,
                next_attempt_at=None if is_parked else now,
                parked_at=now if is_parked else None,
            )
        )
    yield Statement("reply_event_insert_post", [model_values(each) for each in deliveries])
    return sorted({each.integration_id for each in deliveries if not each.parked})

"""The transaction that stores what follows from bounces, as a statement generator for a group of them.

A bounce is removed from the queue in the same transaction, so that it has its effects once. Locks the tickets first, in
the order of their ids, then the recipients, their deliveries and their replies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.dispatch.bounce_answers import post_answer, post_report
from router.dispatch.bounce_effects import (
    BounceMeaning,
    RecipientEffect,
    ReplyTarget,
    find_effects,
    find_meaning,
    is_delivery_report,
    next_state,
    tells_of_failure,
)
from router.enumerations import ReplyState
from router.mail.delivery_reports import BounceReport
from router.model import Message, Micros
from router.replies.events import (
    EventActor,
    ReplyEvent,
    ReplyPost,
    queue_reply_posts,
    record_reply_events,
    reopen_tickets,
)
from router.replies.state import aggregate
from router.store.database import Row, Statement, StatementGenerator


@dataclass(frozen=True, slots=True)
class ReadBounce:
    """A bounce that `owner` has claimed and read.

    `max_age` is how long its posts are retried. `is_refused`: mail of the sender to an alias would be rejected.
    """

    message: Message
    ticket_id: str
    reply_id: str
    address_key: str
    report: BounceReport
    owner: str
    now: Micros
    max_age: Micros
    is_refused: bool = False
    weight: int = 0  # in bytes of content: negligible


@dataclass(frozen=True, slots=True)
class AppliedBounce:
    """What followed: the integrations with due deliveries, and the new states of recipients."""

    due_integrations: tuple[str, ...] = ()
    states: tuple[ReplyState, ...] = ()
    meaning: BounceMeaning | None = None


_Key = tuple[str, str]  # a reply and the key of a recipient


def apply_bounces(items: Sequence[ReadBounce]) -> StatementGenerator[list[AppliedBounce]]:
    """Stores what follows from the bounces that the process still owns; returns one result for each, in their order."""
    taken = yield Statement(
        "bounce_queue_delete", [{"message_id": item.message.id, "owner": item.owner} for item in items]
    )
    owned = {row["message_id"] for row in taken}
    ticket_ids = sorted({item.ticket_id for item in items if item.message.id in owned})
    locked = yield Statement("reply_event_lock_ticket", [{"ticket_id": each} for each in ticket_ids])
    existing = {row["ticket_id"] for row in locked}
    results = []
    for item in items:
        if item.message.id in owned and item.ticket_id in existing:
            results.append((yield from _apply(item)))
        else:  # another process has read it, or it was erased
            results.append(AppliedBounce())
    return results


def _apply(item: ReadBounce) -> StatementGenerator[AppliedBounce]:
    meaning = find_meaning(item.message, item.report)
    if item.is_refused and meaning in ("mail", "answer"):
        meaning = "note"
    if meaning == "answer":
        due = yield from post_answer(item.message, item.ticket_id, item.reply_id, item.now, max_age=item.max_age)
        return AppliedBounce(tuple(due), meaning=meaning)
    if meaning == "note":
        return AppliedBounce(meaning=meaning)
    if meaning == "mail":
        due = yield from post_report(item.message, item.ticket_id, item.now, max_age=item.max_age)
        return AppliedBounce(tuple(due), meaning=meaning)
    yield Statement("bounce_mark_automatic", [{"message_id": item.message.id}])
    targets = yield from _read_targets(item)
    effects = find_effects(item.report, item.address_key, targets)
    if not effects and tells_of_failure(item.report):
        due = yield from post_report(item.message, item.ticket_id, item.now, max_age=item.max_age)
        return AppliedBounce(tuple(due), meaning=meaning)
    changed = [(effect, state) for effect in effects if (state := next_state(effect)) is not None]
    yield from _store_states(changed, item.now)
    if any(state == "delayed" for _, state in changed):
        # Each recipient has a first delay, and the limit must leave room for the failures that follow.
        yield Statement("bounce_uncount", [{"reply_id": item.reply_id, "message_id": item.message.id}])
    # Nobody has written an acknowledgement, and its sender may be forged.
    failed = [effect for effect, state in changed if state == "bounced" and effect.target.kind == "reply"]
    events = [_build_event(item, effect) for effect in effects if _is_event(effect)]
    events += yield from reopen_tickets([_build_event(item, effect) for effect in failed[:1]], item.now)
    yield from record_reply_events(events, item.now)
    posts = dict.fromkeys(
        ReplyPost(item.ticket_id, effect.target.reply_message_id, "reply_bounced") for effect in failed
    )
    due = yield from queue_reply_posts(list(posts), item.now, max_age=item.max_age)
    return AppliedBounce(tuple(due), tuple(state for _, state in changed), meaning)


def _is_event(effect: RecipientEffect) -> bool:
    return next_state(effect) is not None or is_delivery_report(effect)


def _read_targets(item: ReadBounce) -> StatementGenerator[list[ReplyTarget]]:
    if item.reply_id:
        rows = yield Statement("bounce_reply_recipients", [{"reply_id": item.reply_id}])
    else:
        named = dict.fromkeys(address for found in item.report.recipients for address in found.addresses)
        wanted = [{"ticket_id": item.ticket_id, "address_key": address} for address in named]
        rows = yield Statement("bounce_ticket_recipients", wanted)
    return [_to_target(row) for row in rows]


def _to_target(row: Row) -> ReplyTarget:
    return ReplyTarget(
        row["reply_id"],
        row["message_id"],
        row["address"],
        row["address_key"],
        row["state"],
        row["delivery_id"],
        row["kind"],
    )


def _store_states(changed: Sequence[tuple[RecipientEffect, ReplyState]], now: Micros) -> StatementGenerator[None]:
    yield Statement(
        "bounce_set_recipient",
        [
            {
                "reply_id": effect.target.reply_id,
                "address_key": effect.target.address_key,
                "state": state,
                "code": effect.code,
                "text": effect.text,
                "now": now,
            }
            for effect, state in changed
        ],
    )
    yield Statement(
        "bounce_end_delivery",
        [{"delivery_id": effect.target.delivery_id, "now": now} for effect, state in changed if state == "bounced"],
    )
    errors = {effect.target.reply_id: effect for effect, _ in changed}
    rows = yield Statement("bounce_reply_states", [{"reply_id": reply_id} for reply_id in sorted(errors)])
    states: dict[str, list[ReplyState]] = {reply_id: [] for reply_id in sorted(errors)}
    for row in rows:
        states[row["reply_id"]].append(row["state"])
    yield Statement(
        "bounce_set_reply",
        [
            {"reply_id": reply_id, "state": aggregate(found), "last_error": _error_text(errors[reply_id])}
            for reply_id, found in states.items()
        ],
    )


def _error_text(effect: RecipientEffect) -> str:
    return f"{effect.target.address}: {effect.code or ''} {effect.text}".replace(":  ", ": ").strip()


def _build_event(item: ReadBounce, effect: RecipientEffect) -> ReplyEvent:
    detail: dict[str, object] = {
        "replyId": effect.target.reply_id,
        "address": effect.target.address,
        "code": effect.code,
        "text": effect.text,
        "messageId": item.message.id,
    }
    actor = EventActor("mail", item.message.id)
    match effect.action:
        case "failed":
            return ReplyEvent(item.ticket_id, "reply.bounced", actor, detail)
        case "delayed":
            return ReplyEvent(item.ticket_id, "reply.delayed", actor, detail)
        case _:
            return ReplyEvent(item.ticket_id, "reply.delivery_report", actor, detail | {"action": effect.action})

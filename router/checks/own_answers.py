"""Records the mail of a user to the tag of a ticket (`alias+t-<token>@`) as our answer, if its sender is proven.

A token finds the ticket, but customers know it too, and anybody can write the address of a user into From. So the
message first joins the ticket as mail, without reopening it. The check of its sender then decides: authenticated, it is
our answer, is not posted, and the ticket waits for the customer; an unassigned one is assigned to the author. Otherwise
it is an ordinary message. Without sender checks, nothing is proven.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router import ids
from router.checks.results import MessageChecks
from router.enumerations import TicketEventType
from router.mail.mailboxes import normalize_address
from router.model import Micros, TicketEvent
from router.reply_tokens import find_ticket_tag
from router.store.database import Row, Statement, StatementGenerator
from router.store.fragments import model_values
from router.store.post_updates import queue_updates


def is_addressed_to_ticket(joined_by: str) -> bool:
    """Whether a message has joined its ticket by the tag of an address."""
    local_part, at, _ = joined_by.rpartition("@")
    return at != "" and find_ticket_tag(local_part.partition("+")[2]) != ""


def find_authors(messages: Iterable[tuple[str, str]]) -> StatementGenerator[dict[tuple[str, str], str]]:
    """Returns the users who can answer tickets, by workspace and From address."""
    wanted = dict.fromkeys((workspace_id, normalize_address(address)) for workspace_id, address in messages)
    rows = yield Statement(
        "own_answer_author", [{"workspace_id": workspace_id, "email": email} for workspace_id, email in wanted]
    )
    return {(row["workspace_id"], row["email"]): row["id"] for row in rows}


@dataclass(frozen=True, slots=True)
class _TaggedMail:
    message_id: str
    ticket_id: str
    workspace_id: str
    user_id: str
    status: str
    received_at: Micros
    is_proven: bool


def decide_own_answers(
    rows: Sequence[Row], checks: Mapping[str, MessageChecks], now: Micros
) -> StatementGenerator[None]:
    """Decides about the messages of users among those that were checked for the first time.

    Args:
        rows: Those of `check_lock_tickets`. The tickets are locked.
    """
    tagged = [row for row in rows if is_addressed_to_ticket(row["joined_by"])]
    if not tagged:
        return
    authors = yield from find_authors((row["workspace_id"], row["from_address"]) for row in tagged)
    candidates = []
    for row in tagged:
        address = normalize_address(row["from_address"])
        user_id = authors.get((row["workspace_id"], address))
        if user_id is None or row["automatic"] or row["spam"]:
            continue
        facts = checks[row["message_id"]].facts
        is_proven = facts.is_authenticated and address.endswith(f"@{facts.from_domain}")
        candidates.append(
            _TaggedMail(
                row["message_id"],
                row["ticket_id"],
                row["workspace_id"],
                user_id,
                row["status"],
                row["received_at"],
                is_proven,
            )
        )
    yield from _record([each for each in candidates if each.is_proven], now)
    yield from _reopen([each for each in candidates if not each.is_proven], now)


def _record(answers: Sequence[_TaggedMail], now: Micros) -> StatementGenerator[None]:
    keys = [{"ticket_id": each.ticket_id, "message_id": each.message_id} for each in answers]
    yield Statement("own_answer_mark", [{"message_id": each.message_id, "user_id": each.user_id} for each in answers])
    yield Statement("own_answer_unlink", keys)
    yield Statement("own_answer_drop_delivery", keys)
    yield Statement("own_answer_remember_id", keys)
    yield from _change("own_answer_assign", "ticket.claimed", answers, now)
    yield from _change("own_answer_wait", "ticket.status_changed", answers, now)


def _reopen(answers: Sequence[_TaggedMail], now: Micros) -> StatementGenerator[None]:
    """Does what the accept transaction does for the answers of customers."""
    yield Statement(
        "accept_join_ticket",
        [
            {"ticket_id": each.ticket_id, "received_at": now, "messages": 0, "replied_at": each.received_at}
            for each in {each.ticket_id: each for each in answers}.values()
        ],
    )
    yield from _change("own_answer_reopen", "ticket.reopened", answers, now)


def _change(
    query: str, event_type: TicketEventType, answers: Sequence[_TaggedMail], now: Micros
) -> StatementGenerator[None]:
    by_ticket = {each.ticket_id: each for each in answers}
    values = {
        each: {"user_id": by_ticket[each].user_id} if event_type == "ticket.claimed" else {} for each in by_ticket
    }
    changed = yield Statement(query, [{"ticket_id": each, "now": now, **values[each]} for each in sorted(by_ticket)])
    events = []
    for row in changed:
        answer = by_ticket[row["ticket_id"]]
        is_own = event_type != "ticket.reopened"
        events.append(
            TicketEvent(
                id=ids.new_id("evt"),
                ticket_id=row["ticket_id"],
                workspace_id=answer.workspace_id,
                sequence=row["last_sequence"],
                at=now,
                type=event_type,
                actor_type="user" if is_own else "mail",
                actor_id=answer.user_id if is_own else answer.message_id,
                user_id=answer.user_id if is_own else None,
                detail=json.dumps(_detail(event_type, answer)),
            )
        )
    if events:
        yield Statement("ticket_event_insert", [model_values(event) for event in events])
        yield from queue_updates([event.ticket_id for event in events], now)


def _detail(event_type: TicketEventType, answer: _TaggedMail) -> dict[str, str]:
    detail = {"messageId": answer.message_id}
    match event_type:
        case "ticket.claimed":
            return detail
        case "ticket.status_changed":
            return {**detail, "from": answer.status, "to": "waiting"}
        case _:
            return {**detail, "from": answer.status}

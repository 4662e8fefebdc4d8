"""The transaction that stores the results of checks, as a statement generator for a group of messages.

In the same transaction, tickets are held as spam or get warnings, and the deliveries that waited for the checks become
due. So a message is posted either before its checks, or after all that follows from them is stored.

Only the first check of a message has consequences. Only the message that opened a ticket can make it spam, and only
while it is neither posted nor taken by a person, who would search for it: otherwise, it gets a warning. So does a later
message: nobody can hide a conversation by joining it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from router.checks import own_answers
from router.checks.decision import Decision, SenderFacts, decide
from router.checks.policy import merge
from router.checks.results import MessageChecks, to_values
from router.model import Micros
from router.routing.sender_hits import SenderHit, SenderListName, add_hits
from router.store.database import Row, Statement, StatementGenerator
from router.store.post_updates import queue_updates
from router.store.spam_marks import SpamActor, mark_spam


@dataclass(frozen=True, slots=True)
class StoreChecks:
    """The results of a message that `owner` has claimed. `weight` in bytes of content is negligible."""

    message_id: str
    workspace_id: str
    owner: str
    checks: MessageChecks
    now: Micros
    weight: int = 0


@dataclass(frozen=True, slots=True)
class StoredChecks:
    """What followed: the integrations with due deliveries, and whether a ticket was held as spam or got a warning."""

    due_integrations: tuple[str, ...] = ()
    is_spam: bool = False
    is_flagged: bool = False


def store_checks(items: Sequence[StoreChecks]) -> StatementGenerator[list[StoredChecks]]:
    """Stores the results; returns what followed for each message, in the same order.

    Locks the tickets first, then the messages and the deliveries, each in the order of their ids.
    """
    now = max(item.now for item in items)
    by_message = {item.message_id: item for item in items}
    tickets = yield from _lock_tickets(by_message)
    yield Statement(
        "check_store",
        [{"message_id": message_id, **to_values(by_message[message_id].checks)} for message_id in sorted(by_message)],
    )
    first = [row for row in tickets if not row["is_checked"]]
    decisions = {(row["message_id"], row["ticket_id"]): _decide(row, by_message) for row in first}
    yield from _warn(decisions, now)
    held = {ticket_id: d.spam_reason for (_, ticket_id), d in sorted(decisions.items()) if d.spam_reason}
    actors = {
        ticket_id: SpamActor("mail", message_id) for (message_id, ticket_id), d in decisions.items() if d.spam_reason
    }
    yield from mark_spam(held, actors, now)
    checks = {message_id: item.checks for message_id, item in by_message.items()}
    yield from own_answers.decide_own_answers([row for row in first if row["ticket_id"] not in held], checks, now)
    freed = yield Statement(
        "check_free_deliveries",
        [{"ticket_id": row["ticket_id"], "message_id": row["message_id"], "now": now} for row in first],
    )
    # Posts that did not wait are updated.
    yield from queue_updates({row["ticket_id"] for row in first} - {row["ticket_id"] for row in freed}, now)
    yield from add_hits(_count_hits([by_message[id_] for id_ in {row["message_id"] for row in first}]), now)
    yield Statement("check_queue_delete", [{"message_id": item.message_id, "owner": item.owner} for item in items])
    return [_build_result(item, tickets, decisions, freed) for item in items]


def _lock_tickets(message_ids: Mapping[str, StoreChecks]) -> StatementGenerator[list[Row]]:
    rows = yield Statement("check_lock_tickets", [{"message_id": message_id} for message_id in sorted(message_ids)])
    return sorted(rows, key=lambda row: (row["ticket_id"], row["message_id"]))


def _decide(row: Row, by_message: Mapping[str, StoreChecks]) -> Decision:
    checks = by_message[row["message_id"]].checks
    decision = decide(checks.facts, checks.spam, merge(row["workspace_policy"], row["alias_policy"]))
    is_seen = row["joined_by"] or row["is_posted"] or row["assigned_to"] is not None or row["status"] != "open"
    if decision.spam_reason and is_seen:
        return Decision(warning=decision.spam_reason)
    return decision


def _warn(decisions: Mapping[tuple[str, str], Decision], now: Micros) -> StatementGenerator[None]:
    warnings = {key: decision.warning for key, decision in sorted(decisions.items()) if decision.warning}
    yield Statement(
        "check_warn",
        [{"message_id": key[0], "ticket_id": key[1], "warning": warning} for key, warning in warnings.items()],
    )
    flagged = sorted({ticket_id for _, ticket_id in warnings})
    yield Statement("check_flag", [{"ticket_id": ticket_id, "now": now} for ticket_id in flagged])


def _count_hits(items: Sequence[StoreChecks]) -> Counter[SenderHit]:
    """Returns how often each entry of the lists of senders decided."""
    return Counter(
        SenderHit(name, item.workspace_id, sender)
        for item in items
        for name, sender in _deciding_entries(item.checks.facts)
    )


def _deciding_entries(facts: SenderFacts) -> Iterator[tuple[SenderListName, str]]:
    if facts.allowed:
        yield "allowed", facts.allowed
    if facts.blocked:
        yield "blocked", facts.blocked


def _build_result(
    item: StoreChecks,
    tickets: Sequence[Row],
    decisions: Mapping[tuple[str, str], Decision],
    freed: Sequence[Row],
) -> StoredChecks:
    own = {row["ticket_id"] for row in tickets if row["message_id"] == item.message_id}
    followed = [decision for (message_id, _), decision in decisions.items() if message_id == item.message_id]
    return StoredChecks(
        due_integrations=tuple(sorted({row["integration_id"] for row in freed if row["ticket_id"] in own})),
        is_spam=any(decision.spam_reason for decision in followed),
        is_flagged=any(decision.warning for decision in followed),
    )

"""Marks tickets as spam and releases them, with their deliveries, events and words in the search index.

The caller has locked the tickets in the same transaction (`ticket_lock_by_ids`). A ticket that already has the mark is
left as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from router import ids
from router.enumerations import ActorType
from router.model import Micros, TicketEvent
from router.store.database import Row, Statement, StatementGenerator
from router.store.fragments import model_values
from router.store.post_updates import queue_updates

# Why a delivery fails whose integration was deleted.
INTEGRATION_REMOVED = "the integration was removed"


@dataclass(frozen=True, slots=True)
class SpamActor:
    """Who marks a ticket: a message whose checks failed, or a user, possibly with an API key."""

    type: ActorType
    id: str | None
    user_id: str | None = None


def mark_spam(reasons: Mapping[str, str], actors: Mapping[str, SpamActor], now: Micros) -> StatementGenerator[set[str]]:
    """Marks tickets as spam and holds their pending deliveries; returns the ids of those that were not marked before.

    Args:
        reasons: Why each ticket is spam, by its id; shown to users.
        actors: Who marks each ticket, by its id.
    """
    ordered = sorted(reasons)
    rows = yield Statement(
        "spam_mark_tickets", [{"ticket_id": each, "reason": reasons[each], "now": now} for each in ordered]
    )
    marked = {row["ticket_id"] for row in rows}
    yield Statement("spam_hold_deliveries", [{"ticket_id": each} for each in ordered if each in marked])
    yield from _record(rows, actors, now, {each: {"spam": True, "reason": reasons[each]} for each in marked})
    yield from _update_index("search_mark_spam", marked)
    return marked


def release_spam(
    ticket_ids: Sequence[str], actors: Mapping[str, SpamActor], now: Micros, *, expires_at: Micros
) -> StatementGenerator[list[str]]:
    """Releases tickets from spam and makes their held deliveries due; returns the integrations to wake."""
    ordered = sorted(ticket_ids)
    rows = yield Statement("spam_release_tickets", [{"ticket_id": each, "now": now} for each in ordered])
    released = sorted(row["ticket_id"] for row in rows)
    due = yield Statement(
        "spam_release_deliveries",
        [
            {"ticket_id": each, "now": now, "expires_at": expires_at, "removed": INTEGRATION_REMOVED}
            for each in released
        ],
    )
    yield from _record(rows, actors, now, {each: {"spam": False} for each in released})
    yield from _update_index("search_release_spam", released)
    return sorted({row["integration_id"] for row in due})


def _update_index(query: str, ticket_ids: Iterable[str]) -> StatementGenerator[None]:
    """Updates the search index. The lock is the last one, and comes before the read of words that are indexed."""
    rows = [{"ticket_id": each} for each in sorted(ticket_ids)]
    if rows:
        yield Statement("search_lock", [{}])
        yield Statement(query, rows)


def _record(
    rows: Sequence[Row], actors: Mapping[str, SpamActor], now: Micros, details: Mapping[str, Mapping[str, object]]
) -> StatementGenerator[None]:
    events = [
        TicketEvent(
            id=ids.new_id("evt"),
            ticket_id=row["ticket_id"],
            workspace_id=row["workspace_id"],
            sequence=row["last_sequence"],
            at=now,
            type="ticket.spam_changed",
            actor_type=actors[row["ticket_id"]].type,
            actor_id=actors[row["ticket_id"]].id,
            user_id=actors[row["ticket_id"]].user_id,
            detail=json.dumps(details[row["ticket_id"]]),
        )
        for row in rows
    ]
    if events:
        yield Statement("ticket_event_insert", [model_values(event) for event in events])
        yield from queue_updates([event.ticket_id for event in events], now)

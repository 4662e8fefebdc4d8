"""Events of tickets: recorded in the transaction of the change, and read with the names of their actors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace

from router import ids
from router.enumerations import ActorType, TicketEventType
from router.model import Actor, Micros, TicketEvent
from router.store.database import QueryExecutor, fetch_models
from router.store.fragments import model_values
from router.store.post_updates import queue_updates

# Events that change nothing that a post shows.
_WITHOUT_UPDATE: frozenset[TicketEventType] = frozenset({"ticket.note_added"})
# The names of actors without a name of their own.
_OTHER_NAMES: Mapping[ActorType, str] = {
    "user": "removed user",
    "key": "removed API key",
    "mail": "unknown sender",
    "system": "Operator",
}


async def record(
    transaction: QueryExecutor, actor: Actor, ticket_id: str, now: Micros, event_type: TicketEventType, **detail: object
) -> TicketEvent:
    """Records an event, and queues the updates of the ticket's posts. Locks the ticket until the commit.

    Details that are None are omitted.
    """
    (numbered,) = await transaction.fetch_all("ticket_next_sequence", id=ticket_id)
    actor_type, actor_id = _identify(actor)
    event = TicketEvent(
        id=ids.new_id("evt"),
        ticket_id=ticket_id,
        workspace_id=actor.workspace_id,
        sequence=numbered["last_sequence"],
        at=now,
        type=event_type,
        actor_type=actor_type,
        actor_id=actor_id,
        user_id=actor.user_id,
        detail=json.dumps({name: value for name, value in detail.items() if value is not None}, ensure_ascii=False),
    )
    await transaction.execute("ticket_event_insert", **model_values(event))
    if event_type not in _WITHOUT_UPDATE:
        await queue_updates(transaction, ticket_id, now)
    return event


async def fetch_newest(executor: QueryExecutor, ticket_id: str, *, before: str, limit: int) -> list[TicketEvent]:
    """Reads the newest stored events before the id `before`, newest first."""
    events = await fetch_models(
        executor, TicketEvent, "ticket_event_page", ticket_id=ticket_id, before=before, limit=limit
    )
    return [with_name(event) for event in events]


def with_name(event: TicketEvent) -> TicketEvent:
    """Replaces an empty name of the actor."""
    return event if event.actor_name else replace(event, actor_name=_OTHER_NAMES.get(event.actor_type, ""))


def _identify(actor: Actor) -> tuple[ActorType, str | None]:
    if actor.key_id is not None:
        return "key", actor.key_id
    return ("system", None) if actor.user_id is None else ("user", actor.user_id)

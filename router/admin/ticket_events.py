"""Events of tickets: recorded in the transaction of the change, and read with the names of their actors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from router import ids
from router.enumerations import ActorType, TicketEventType
from router.model import Actor, Micros, TicketEvent
from router.store.database import QueryExecutor, Statement, StatementGenerator, fetch_models, run_statements
from router.store.fragments import model_values
from router.store.post_updates import queue_updates

# Events that change nothing that a post shows.
_WITHOUT_UPDATE: frozenset[TicketEventType] = frozenset(
    {"ticket.note_added", "ticket.note_changed", "ticket.note_removed", "reply.canceled"}
)
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
    (event,) = await record_for_all(transaction, actor, [ticket_id], now, event_type, **detail)
    return event


async def record_for_all(
    transaction: QueryExecutor,
    actor: Actor,
    ticket_ids: Sequence[str],
    now: Micros,
    event_type: TicketEventType,
    **detail: object,
) -> list[TicketEvent]:
    """Records the same event for several tickets, which the caller has locked, with as many statements as for one."""
    details = {name: value for name, value in detail.items() if value is not None}
    actor_type, actor_id = identify(actor)
    events = [
        TicketEvent(
            id=ids.new_id("evt"),
            ticket_id=numbered["id"],
            workspace_id=actor.workspace_id,
            sequence=numbered["last_sequence"],
            at=now,
            type=event_type,
            actor_type=actor_type,
            actor_id=actor_id,
            user_id=actor.user_id,
            detail=json.dumps(details, ensure_ascii=False),
        )
        for numbered in await transaction.fetch_all("ticket_next_sequence", ids=json.dumps(ticket_ids))
    ]
    await run_statements(transaction, _write(events, now))
    return events


def _write(events: Sequence[TicketEvent], now: Micros) -> StatementGenerator[None]:
    yield Statement("ticket_event_insert", [model_values(event) for event in events])
    yield from queue_updates([event.ticket_id for event in events if event.type not in _WITHOUT_UPDATE], now)


async def fetch_by_ids(executor: QueryExecutor, actor: Actor, event_ids: Iterable[str]) -> dict[str, TicketEvent]:
    """Reads stored events of the actor's workspace, by id. Omits nonexistent ones. The names of actors are empty."""
    valid = sorted(event_id for event_id in event_ids if ids.is_well_formed(event_id, "evt"))
    events = await fetch_models(
        executor, TicketEvent, "ticket_event_by_ids", ids=json.dumps(valid), workspace_id=actor.workspace_id
    )
    return {event.id: event for event in events}


async def fetch_newest(executor: QueryExecutor, ticket_id: str, *, before: str, limit: int) -> list[TicketEvent]:
    """Reads the newest stored events before the id `before`, newest first."""
    events = await fetch_models(
        executor, TicketEvent, "ticket_event_page", ticket_id=ticket_id, before=before, limit=limit
    )
    return [with_name(event) for event in events]


def with_name(event: TicketEvent) -> TicketEvent:
    """Replaces an empty name of the actor."""
    return event if event.actor_name else replace(event, actor_name=name_missing(event.actor_type))


def name_missing(actor_type: ActorType) -> str:
    """Returns what is shown for an actor without a name."""
    return _OTHER_NAMES.get(actor_type, "")


def identify(actor: Actor) -> tuple[ActorType, str | None]:
    """Returns the type and the id of the author of an event."""
    if actor.key_id is not None:
        return "key", actor.key_id
    return ("system", None) if actor.user_id is None else ("user", actor.user_id)

"""Applies changes to tickets, one ticket or many, and undoes them.

Many tickets are changed in short transactions, so mail is not delayed. A transaction locks users, then its tickets in
the order of their ids: concurrent bulk changes in different orders do not deadlock. A ticket that refuses a change
does not affect the others.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from router import ids
from router.admin import ticket_events
from router.admin.fetch import find_ticket_id
from router.admin.tickets.changes import ChangeContext, FieldChange, UndoChange
from router.admin.tickets.tag_names import TagsChange
from router.admin.tickets.tags import TagService
from router.clock import Clock
from router.errors import Refused, not_found_error
from router.model import Actor, Ticket, TicketEvent, User
from router.store import batches
from router.store.database import Database, QueryExecutor, fetch_model, fetch_models, retry_on_conflict

MAX_BULK = 200  # tickets of one bulk change, and changes that are undone together
BATCH_TICKETS = 25  # tickets that one transaction changes

TicketChange = FieldChange | TagsChange


@dataclass(frozen=True, slots=True)
class ChangedTicket:
    """A ticket after a change. `event_id` is the event of the change; None if nothing changed."""

    ticket: Ticket
    event_id: str | None


@dataclass(frozen=True, slots=True)
class BulkResult:
    """The result of several changes, in the order of the request.

    Attributes:
        failed: The ids of the tickets that were not changed, or of the events that were not undone, with the reasons.
    """

    done: tuple[ChangedTicket, ...]
    failed: tuple[tuple[str, Refused], ...]


@dataclass(frozen=True, slots=True)
class _Request:
    """A change of a ticket. `id` identifies it in the result."""

    id: str
    ticket_id: str
    change: TicketChange


class ChangeWriter:
    """Changes tickets of the actor's workspace."""

    def __init__(self, database: Database, clock: Clock, tags: TagService) -> None:
        self._database = database
        self._clock = clock
        self._tags = tags

    async def change(self, actor: Actor, ticket_id: str, change: TicketChange) -> ChangedTicket:
        """Raises `Refused` if the ticket does not exist or refuses the change."""
        found = await find_ticket_id(self._database, actor, ticket_id)
        (outcome,) = await self._change_batch(actor, [_Request(ticket_id, found, change)])
        if isinstance(outcome, Refused):
            raise outcome
        return outcome

    async def change_many(self, actor: Actor, ticket_ids: Iterable[str], change: TicketChange) -> BulkResult:
        """Changes up to `MAX_BULK` tickets in the same way."""
        wanted = require_few(ticket_ids, "tickets")
        requests = [_Request(each, await find_ticket_id(self._database, actor, each), change) for each in wanted]
        return await self._change_all(actor, requests)

    async def undo(self, actor: Actor, event_ids: Iterable[str]) -> BulkResult:
        """Undoes up to `MAX_BULK` changes, given by their events."""
        wanted = require_few(event_ids, "changes")
        events = await ticket_events.fetch_by_ids(self._database, actor, wanted)
        requests = [
            _Request(event_id, events[event_id].ticket_id, UndoChange(events[event_id]))
            for event_id in wanted
            if event_id in events
        ]
        result = await self._change_all(actor, requests)
        missing = tuple((event_id, not_found_error("Change")) for event_id in wanted if event_id not in events)
        return replace(result, failed=(*result.failed, *missing))

    async def _change_all(self, actor: Actor, requests: Sequence[_Request]) -> BulkResult:
        outcomes: list[ChangedTicket | Refused] = []
        for start in range(0, len(requests), BATCH_TICKETS):
            if start:
                await batches.pause()
            outcomes += await self._change_batch(actor, requests[start : start + BATCH_TICKETS])
        return BulkResult(
            tuple(outcome for outcome in outcomes if isinstance(outcome, ChangedTicket)),
            tuple(
                (request.id, outcome)
                for request, outcome in zip(requests, outcomes, strict=True)
                if isinstance(outcome, Refused)
            ),
        )

    @retry_on_conflict
    async def _change_batch(self, actor: Actor, requests: Sequence[_Request]) -> list[ChangedTicket | Refused]:
        async with self._database.transaction() as transaction:
            users = await _lock_users(transaction, actor, (request.change for request in requests))
            context = ChangeContext(actor, users, self._clock.now())
            tickets = await lock_tickets(transaction, actor, {request.ticket_id for request in requests})
            outcomes: list[ChangedTicket | Refused] = []
            for request in requests:
                try:
                    outcome = await self._apply(transaction, tickets.get(request.ticket_id), request.change, context)
                except Refused as refused:
                    outcomes.append(refused)
                else:
                    tickets[outcome.ticket.id] = outcome.ticket
                    outcomes.append(outcome)
        return outcomes

    async def _apply(
        self, transaction: QueryExecutor, ticket: Ticket | None, change: TicketChange, context: ChangeContext
    ) -> ChangedTicket:
        """Changes a locked ticket and records the event. Raises `Refused` before the first write."""
        if ticket is None:
            raise not_found_error("Ticket")
        if isinstance(change, TagsChange):
            tags, event = await self._tags.change_locked(transaction, context.actor, ticket, change)
            return ChangedTicket(replace(ticket, tags=tags), None if event is None else event.id)
        edit = change.decide(ticket, context)
        if isinstance(change, UndoChange):  # recent, so that few events can be newer
            await _require_newest_change(transaction, ticket, change.event)
        if edit is None:
            return ChangedTicket(ticket, None)
        before = {name: old for name, new in edit.fields.items() if (old := getattr(ticket, name)) != new}
        await transaction.execute(
            "ticket_update", id=ticket.id, workspace_id=ticket.workspace_id, now=context.now, **edit.fields
        )
        event = await ticket_events.record(
            transaction, context.actor, ticket.id, context.now, edit.event_type, **edit.detail, before=before
        )
        return ChangedTicket(replace(ticket, updated_at=context.now, **edit.fields), event.id)


async def _lock_users(transaction: QueryExecutor, actor: Actor, changes: Iterable[TicketChange]) -> dict[str, User]:
    """Locks the actor's user and the assignees of the changes, in the order of their ids."""
    wanted = [actor.user_id, *(change.assignee_id for change in changes if not isinstance(change, TagsChange))]
    users: dict[str, User] = {}
    for user_id in sorted({user_id for user_id in wanted if user_id is not None}):
        user = await fetch_model(transaction, User, "user_lock", id=user_id, workspace_id=actor.workspace_id)
        if user is not None:
            users[user_id] = user
    return users


async def lock_tickets(transaction: QueryExecutor, actor: Actor, ticket_ids: Iterable[str]) -> dict[str, Ticket]:
    """Locks tickets in the order of their ids, and returns those that exist by id."""
    valid = sorted(ticket_id for ticket_id in ticket_ids if ids.is_well_formed(ticket_id, "ticket"))
    tickets = await fetch_models(
        transaction, Ticket, "ticket_lock_by_ids", ids=json.dumps(valid), workspace_id=actor.workspace_id
    )
    return {ticket.id: ticket for ticket in tickets}


async def _require_newest_change(transaction: QueryExecutor, ticket: Ticket, event: TicketEvent) -> None:
    newer = await transaction.fetch_one("ticket_changed_after", ticket_id=ticket.id, sequence=event.sequence)
    if newer is not None:
        raise Refused("conflict", f"Ticket #{ticket.number} was changed again meanwhile")


def require_few(given: Iterable[str], noun: str) -> list[str]:
    """Returns the ids without repetitions. Raises `Refused` for more than `MAX_BULK`."""
    wanted = list(dict.fromkeys(given))
    if len(wanted) > MAX_BULK:
        raise Refused("invalid_request", f"At most {MAX_BULK} {noun} can be changed at once, not {len(wanted)}")
    return wanted

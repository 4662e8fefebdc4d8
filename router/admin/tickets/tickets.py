"""Tickets: lists, search, assignment, status changes, notes and erasure.

A ticket can change from any status to any other. If several users claim a ticket concurrently, exactly one
succeeds. All other changes lock the row of the ticket. Each change except erasure is recorded as a ticket event.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, cast

from router.admin import audit, paging, ticket_events, validation
from router.admin.fetch import fetch_by_id, find_ticket_id
from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.tickets.conversation import ConversationReader, MessageView, TicketView
from router.admin.tickets.lists import TicketListService
from router.admin.tickets.tags import TagService
from router.admin.tickets.timeline import Timeline
from router.choice import Choice
from router.clock import Clock
from router.enumerations import TICKET_STATUS, TicketEventType, TicketStatus
from router.errors import Refused
from router.filters import TicketFilter
from router.model import Actor, Ticket, TicketEvent, User
from router.store.database import Database, QueryExecutor, fetch_model, fetch_models, retry_on_conflict
from router.store.erasure import erase_ticket

# Maximum time that a search waits until new messages are parsed.
SEARCH_PARSE_SECONDS = 1.0
MAX_NEWEST = 200
_ALL_TICKETS = TicketFilter()


class TicketService:
    """Manages the tickets of the actor's workspace, their `tags` and their `lists`."""

    def __init__(self, database: Database, clock: Clock, conversation: ConversationReader) -> None:
        self._database = database
        self._clock = clock
        self._conversation = conversation
        self.tags = TagService(database, clock)
        self.lists = TicketListService(
            database, clock, self.tags, partial(conversation.parse_missing, SEARCH_PARSE_SECONDS)
        )

    async def list(
        self,
        actor: Actor,
        ticket_filter: TicketFilter = _ALL_TICKETS,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Ticket]:
        """Lists tickets like `lists`, newest first."""
        return await self.lists.list(actor, ticket_filter, limit=limit, cursor=cursor)

    async def list_newest_ids(self, actor: Actor) -> frozenset[str]:
        """Returns the id suffixes of the newest messages, events and changes of tags.

        A new id means that a ticket changed. To bound the cost, only the newest messages and events of all workspaces
        and the newest audit entries of the workspace are searched.
        """
        rows = await self._database.fetch_all("ticket_latest_ids", workspace_id=actor.workspace_id, limit=MAX_NEWEST)
        return frozenset(row["id"].partition("_")[2] for row in rows)

    async def find_id(self, actor: Actor, ticket_id: str) -> str:
        """Returns the id of a ticket. `ticket_id` is its id, which may not exist, or its number.

        All methods accept both.
        """
        found = await find_ticket_id(self._database, actor, ticket_id)
        return validation.validate_id(found, "ticket", "Ticket")

    async def get(self, actor: Actor, ticket_id: str) -> TicketView:
        """Returns a ticket with its first message, and with its newest messages, deliveries and events."""
        return await self._conversation.read_ticket(await self._fetch_tagged(actor, ticket_id))

    async def list_messages(
        self, actor: Actor, ticket_id: str, *, limit: int = DEFAULT_LIMIT, cursor: str | None = None
    ) -> Page[MessageView]:
        request = paging.page_request("msg", limit, cursor)
        return await self._conversation.read_messages(await self._fetch(actor, ticket_id), request)

    async def get_message(self, actor: Actor, ticket_id: str, message_id: str) -> MessageView:
        return await self._conversation.read_message(await self._fetch(actor, ticket_id), message_id)

    async def get_timeline(self, actor: Actor, ticket_id: str, before: str | None = None) -> Timeline:
        return await self._conversation.read_timeline(await self._fetch_tagged(actor, ticket_id), before)

    async def get_many(self, actor: Actor, ticket_ids: Iterable[str]) -> Mapping[str, Ticket]:
        """Returns tickets by id. Omits nonexistent tickets, and ids in excess of `MAX_LIMIT`."""
        id_list = json.dumps(sorted(set(ticket_ids))[: paging.MAX_LIMIT])
        tickets = await fetch_models(
            self._database, Ticket, "ticket_by_ids", ids=id_list, workspace_id=actor.workspace_id
        )
        return {ticket.id: ticket for ticket in tickets}

    async def claim(self, actor: Actor, ticket_id: str) -> Ticket:
        """Assigns the ticket to the actor's user and sets it to `in_progress`.

        Raises:
            Refused: `already_claimed` if another user is the assignee, `not_open` if the ticket is resolved,
                `invalid_request` if the actor has no user.
        """
        ticket_id = await self.find_id(actor, ticket_id)
        user_id = _require_user_id(actor)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await _lock_user(transaction, actor)
            ticket = await fetch_model(
                transaction,
                Ticket,
                "ticket_claim",
                id=ticket_id,
                workspace_id=actor.workspace_id,
                user_id=user_id,
                now=now,
            )
            if ticket is None:
                raise _claim_refusal(await fetch_by_id(transaction, actor, Ticket, "ticket_by_id", ticket_id))
            if ticket.claimed_at == now:
                await ticket_events.record(transaction, actor, ticket.id, now, "ticket.claimed")
            elif ticket.updated_at == now:
                await ticket_events.record(
                    transaction, actor, ticket.id, now, "ticket.status_changed", to=ticket.status
                )
        return ticket

    async def unclaim(self, actor: Actor, ticket_id: str) -> Ticket:
        """Unassigns a ticket and sets it to `open`. An open unassigned ticket is returned unchanged.

        Raises:
            Refused: `not_open` if the ticket is resolved, `forbidden` unless the actor is its assignee or an admin.
        """
        async with self._database.transaction() as transaction:
            ticket = await _lock_unresolved(transaction, actor, ticket_id)
            if ticket.assigned_to is None and ticket.status == "open":
                return ticket
            _require_assignee_or_admin(actor, ticket)
            return await self._change(
                transaction,
                actor,
                ticket,
                "ticket.unclaimed",
                {"from": ticket.assigned_to},
                status="open",
                assigned_to=None,
                claimed_at=None,
            )

    async def assign(self, actor: Actor, ticket_id: str, user_id: str) -> Ticket:
        """Assigns a ticket to a user. An open ticket is set to `in_progress`.

        Raises:
            Refused: `not_open` if the ticket is resolved, `forbidden` unless the actor is its assignee or an admin,
                `invalid_request` if the ticket cannot be assigned to the user.
        """
        async with self._database.transaction() as transaction:
            user = await fetch_model(transaction, User, "user_lock", id=user_id, workspace_id=actor.workspace_id)
            ticket = await _lock_unresolved(transaction, actor, ticket_id)
            _require_assignee_or_admin(actor, ticket)
            if user is None or user.disabled_at is not None:
                raise Refused("invalid_request", "userId must be an active user of this workspace", "userId")
            if user.role == "viewer":
                raise Refused("invalid_request", "Tickets cannot be assigned to a viewer", "userId")
            if ticket.assigned_to == user.id and ticket.status != "open":
                return ticket
            return await self._change(
                transaction,
                actor,
                ticket,
                "ticket.assigned",
                {"to": user.id, "from": ticket.assigned_to},
                assigned_to=user.id,
                claimed_at=ticket.claimed_at if ticket.assigned_to == user.id else self._clock.now(),
                status="in_progress" if ticket.status == "open" else ticket.status,
            )

    async def set_choice(self, actor: Actor, ticket_id: str, choice: Choice[Any], value: str) -> Ticket:
        """Sets a field of `TICKET_CHOICES`. An unchanged value is not recorded."""
        if choice is TICKET_STATUS:  # also changes other fields
            return await self.set_status(actor, ticket_id, value)
        new_value = choice.parse(value)
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            old_value = getattr(ticket, choice.name)
            if old_value == new_value:
                return ticket
            event_type = cast("TicketEventType", f"ticket.{choice.name}_changed")
            detail = {"from": old_value, "to": new_value}
            return await self._change(transaction, actor, ticket, event_type, detail, **{choice.name: new_value})

    async def set_status(self, actor: Actor, ticket_id: str, status: str) -> Ticket:
        """Sets the status. Reopening keeps the assignee.

        `in_progress` also assigns an unassigned ticket to the actor's user, if any.
        """
        new_status = TICKET_STATUS.parse(status)
        async with self._database.transaction() as transaction:
            if new_status == "in_progress":
                await _lock_user(transaction, actor)
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            if ticket.status == new_status:
                return ticket
            now = self._clock.now()
            changes: dict[str, object] = {"resolved_at": now if new_status == "resolved" else None}
            if new_status == "in_progress" and ticket.assigned_to is None and actor.user_id is not None:
                changes |= {"assigned_to": actor.user_id, "claimed_at": now}
            event_type = _status_event_type(ticket.status, new_status)
            detail = {"from": ticket.status, "to": new_status}
            return await self._change(transaction, actor, ticket, event_type, detail, status=new_status, **changes)

    async def add_note(self, actor: Actor, ticket_id: str, text: str) -> TicketEvent:
        """Adds an internal note, which is never sent to the customer."""
        valid_text = validation.validate_text(text, "text")
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            return await ticket_events.record(
                transaction, actor, ticket.id, self._clock.now(), "ticket.note_added", text=valid_text
            )

    @retry_on_conflict
    async def delete(self, actor: Actor, ticket_id: str) -> None:
        """Erases a ticket and its messages, except messages that also belong to another ticket."""
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            await erase_ticket(transaction, ticket.id)
            await audit.record(transaction, actor, self._clock.now(), "ticket.delete", ticket.id, number=ticket.number)

    async def _fetch_tagged(self, actor: Actor, ticket_id: str) -> Ticket:
        (ticket,) = await self.tags.attach([await self._fetch(actor, ticket_id)])
        return ticket

    async def _fetch(self, actor: Actor, ticket_id: str) -> Ticket:
        return await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)

    async def _change(
        self,
        transaction: QueryExecutor,
        actor: Actor,
        ticket: Ticket,
        event_type: TicketEventType,
        detail: Mapping[str, str | None],
        **changes: Any,
    ) -> Ticket:
        """Sets fields of a locked ticket and records the event."""
        now = self._clock.now()
        await transaction.execute("ticket_update", id=ticket.id, workspace_id=ticket.workspace_id, now=now, **changes)
        await ticket_events.record(transaction, actor, ticket.id, now, event_type, **detail)
        return replace(ticket, updated_at=now, **changes)


async def _lock_unresolved(transaction: QueryExecutor, actor: Actor, ticket_id: str) -> Ticket:
    ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
    if ticket.status == "resolved":
        raise Refused("not_open", f"Ticket #{ticket.number} is resolved: reopen it first")
    return ticket


def _require_user_id(actor: Actor) -> str:
    if actor.user_id is None:
        raise Refused("invalid_request", "Only a user can be the assignee of a ticket: assign it to a user instead")
    return actor.user_id


async def _lock_user(transaction: QueryExecutor, actor: Actor) -> None:
    """Locks the actor's user. No ticket is assigned to a user who was deleted or disabled after authentication."""
    if actor.user_id is None:
        return
    user = await fetch_model(transaction, User, "user_lock", id=actor.user_id, workspace_id=actor.workspace_id)
    if user is None or user.disabled_at is not None:
        raise Refused("unauthorized", "Your user account was removed or disabled")


def _require_assignee_or_admin(actor: Actor, ticket: Ticket) -> None:
    if actor.role != "admin" and (actor.user_id is None or ticket.assigned_to != actor.user_id):
        raise Refused(
            "forbidden", f"Ticket #{ticket.number} is not assigned to you: only its assignee and admins can do this"
        )


def _claim_refusal(ticket: Ticket) -> Refused:
    if ticket.status == "resolved":
        return Refused("not_open", f"Ticket #{ticket.number} is resolved: reopen it first")
    return Refused("already_claimed", f"Ticket #{ticket.number} is already assigned to another user")


def _status_event_type(before: TicketStatus, after: TicketStatus) -> TicketEventType:
    if after == "resolved":
        return "ticket.resolved"
    return "ticket.reopened" if before == "resolved" else "ticket.status_changed"

"""Tickets: lists, search, changes and erasure.

A ticket can change from any status to any other. If several users claim a ticket concurrently, exactly one
succeeds. All changes lock the row of the ticket. Each change except erasure is recorded as a ticket event.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from router.admin import audit, paging, validation
from router.admin.fetch import fetch_by_id, find_ticket_id
from router.admin.idempotency import erase_ticket_answers
from router.admin.paging import DEFAULT_LIMIT, Page
from router.admin.tickets.change_writer import (
    BulkResult,
    ChangedTicket,
    ChangeWriter,
    TicketChange,
    require_few,
)
from router.admin.tickets.changes import AssignChange, ChoiceChange, ClaimChange, UnassignChange
from router.admin.tickets.conversation import ConversationReader, MessageView, TicketView
from router.admin.tickets.drafts import DraftService
from router.admin.tickets.lists import TicketListService
from router.admin.tickets.notes import NoteService
from router.admin.tickets.tags import TagService
from router.admin.tickets.timeline import Timeline
from router.choice import Choice
from router.clock import Clock
from router.enumerations import TICKET_STATUS
from router.errors import Refused
from router.filters import TicketFilter
from router.model import Actor, Ticket
from router.store import batches
from router.store.database import Database, fetch_models, retry_on_conflict
from router.store.erasure import ErasurePreview, erase_ticket, preview_erasure

# Maximum time that a search waits until new messages are parsed.
SEARCH_PARSE_SECONDS = 1.0
MAX_NEWEST = 200
_ALL_TICKETS = TicketFilter()


class TicketService:
    """Manages the tickets of the actor's workspace: their `lists`, `tags` and `notes`, and the actor's `drafts`."""

    def __init__(self, database: Database, clock: Clock, conversation: ConversationReader) -> None:
        self._database = database
        self._clock = clock
        self._conversation = conversation
        self.tags = TagService(database, clock)
        self.lists = TicketListService(
            database, clock, self.tags, partial(conversation.parse_missing, SEARCH_PARSE_SECONDS)
        )
        self.notes = NoteService(database, clock)
        self.drafts = DraftService(database, clock)
        self._changes = ChangeWriter(database, clock, self.tags)

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
        """Returns the id suffixes of the newest messages, checks of messages, events and changes of tags.

        A new id means that a ticket changed. To bound the cost, only the newest messages and events of all workspaces
        and the newest audit entries of the workspace are searched.
        """
        rows = await self._database.fetch_all("ticket_latest_ids", workspace_id=actor.workspace_id, limit=MAX_NEWEST)
        return frozenset(row["id"].partition("_")[2] for row in rows)

    async def list_newest_ids_by_workspace(self) -> Mapping[str, frozenset[str]]:
        """Returns what `list_newest_ids` returns, for all workspaces that have a recent change."""
        rows = await self._database.fetch_all("ticket_latest_ids_by_workspace", limit=MAX_NEWEST)
        found = defaultdict[str, set[str]](set)
        for row in rows:
            found[row["workspace_id"]].add(row["id"].partition("_")[2])
        return {workspace_id: frozenset(ids) for workspace_id, ids in found.items()}

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

    async def claim(self, actor: Actor, ticket_id: str, *, take_over: bool = False) -> Ticket:
        """Assigns the ticket to the actor's user and sets it to `in_progress`.

        Raises:
            Refused: `already_claimed` if another user is the assignee, unless `take_over`; `not_open` if the ticket is
                resolved; `invalid_request` if the actor has no user.
        """
        return (await self.change(actor, ticket_id, ClaimChange(take_over))).ticket

    async def unclaim(self, actor: Actor, ticket_id: str) -> Ticket:
        """Unassigns a ticket and sets it to `open`. An open unassigned ticket is returned unchanged.

        Raises:
            Refused: `not_open` if the ticket is resolved, `forbidden` unless the actor is its assignee or an admin.
        """
        return (await self.change(actor, ticket_id, UnassignChange())).ticket

    async def assign(self, actor: Actor, ticket_id: str, user_id: str) -> Ticket:
        """Assigns a ticket to a user. An open ticket is set to `in_progress`.

        Raises:
            Refused: `not_open` if the ticket is resolved, `forbidden` unless the actor is its assignee or an admin,
                `invalid_request` if the ticket cannot be assigned to the user.
        """
        return (await self.change(actor, ticket_id, AssignChange(user_id))).ticket

    async def set_choice(self, actor: Actor, ticket_id: str, choice: Choice[Any], value: str) -> Ticket:
        """Sets a field of `TICKET_CHOICES`. An unchanged value is not recorded."""
        return (await self.change(actor, ticket_id, ChoiceChange.parse(choice, value))).ticket

    async def set_status(self, actor: Actor, ticket_id: str, status: str) -> Ticket:
        """Sets the status. Reopening keeps the assignee.

        `in_progress` also assigns an unassigned ticket to the actor's user, if any.
        """
        return await self.set_choice(actor, ticket_id, TICKET_STATUS, status)

    async def change(self, actor: Actor, ticket_id: str, change: TicketChange) -> ChangedTicket:
        """Changes a ticket. The event of the result can be passed to `undo`, unless tags were changed."""
        return await self._changes.change(actor, ticket_id, change)

    async def change_many(self, actor: Actor, ticket_ids: Iterable[str], change: TicketChange) -> BulkResult:
        """Changes up to `change_writer.MAX_BULK` tickets in the same way. Refused changes do not affect the others."""
        return await self._changes.change_many(actor, ticket_ids, change)

    async def undo(self, actor: Actor, event_ids: Iterable[str]) -> BulkResult:
        """Restores what up to `change_writer.MAX_BULK` events changed: status, assignee and priority.

        Only the author of a change can undo it, for `changes.UNDO_SECONDS`, and only while the ticket has not been
        changed again. Refused changes do not affect the others.
        """
        return await self._changes.undo(actor, event_ids)

    async def preview_erasure(self, actor: Actor, ticket_id: str) -> ErasurePreview:
        """Returns what `delete` erases at present."""
        return await preview_erasure(self._database, (await self._fetch(actor, ticket_id)).id)

    @retry_on_conflict
    async def delete(self, actor: Actor, ticket_id: str) -> None:
        """Erases a ticket and its messages, except messages that also belong to another ticket."""
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            now = self._clock.now()
            await erase_ticket_answers(transaction, ticket.id, now)
            await erase_ticket(transaction, ticket.id)
            await audit.record(transaction, actor, now, "ticket.delete", ticket.id, number=ticket.number)

    async def delete_many(self, actor: Actor, ticket_ids: Iterable[str]) -> int:
        """Erases up to `change_writer.MAX_BULK` tickets, each in its own transaction; returns how many existed."""
        erased = 0
        for ticket_id in require_few(ticket_ids, "tickets"):
            try:
                await self.delete(actor, ticket_id)
            except Refused as refused:
                if refused.code != "not_found":
                    raise
            else:
                erased += 1
            await batches.pause()
        return erased

    async def _fetch_tagged(self, actor: Actor, ticket_id: str) -> Ticket:
        (ticket,) = await self.tags.attach([await self._fetch(actor, ticket_id)])
        return ticket

    async def _fetch(self, actor: Actor, ticket_id: str) -> Ticket:
        return await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", ticket_id)

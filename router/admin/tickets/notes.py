"""Internal notes of tickets, which are never sent to the customer.

A note is the event `ticket.note_added`. Its author edits it, and its author or an admin removes it: then its text is
gone from the database, and the event remains. Each change is an event of its own.
"""

from __future__ import annotations

import json
from dataclasses import replace

from router.admin import ticket_events, validation
from router.admin.fetch import fetch_by_id
from router.admin.idempotency import erase_answers
from router.admin.tickets import drafts
from router.clock import Clock
from router.enumerations import TicketEventType
from router.errors import Refused, not_found_error
from router.model import Actor, Ticket, TicketEvent
from router.store.database import Database, QueryExecutor


class NoteService:
    """Manages the notes of tickets in the actor's workspace."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def add(self, actor: Actor, ticket_id: str, text: str) -> TicketEvent:
        """Adds a note, and deletes its draft."""
        valid_text = validation.validate_text(text, "text")
        async with self._database.transaction() as transaction:
            ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
            await drafts.delete_sent(transaction, actor, ticket.id, "note", valid_text)
            return await ticket_events.record(
                transaction, actor, ticket.id, self._clock.now(), "ticket.note_added", text=valid_text
            )

    async def edit(self, actor: Actor, ticket_id: str, note_id: str, text: str) -> TicketEvent:
        """Replaces the text of a note. An equal text changes nothing.

        Raises:
            Refused: `forbidden` unless the actor is the author.
        """
        valid_text = validation.validate_text(text, "text")
        async with self._database.transaction() as transaction:
            note = await self._lock(transaction, actor, ticket_id, note_id)
            if not _is_author(actor, note):
                raise Refused("forbidden", "Only the author of a note can edit it")
            if json.loads(note.detail)["text"] == valid_text:
                return note
            return await self._replace(
                transaction, actor, note, "ticket.note_changed", text=valid_text, editedAt=self._clock.now()
            )

    async def remove(self, actor: Actor, ticket_id: str, note_id: str) -> None:
        """Erases the text of a note.

        Raises:
            Refused: `forbidden` unless the actor is the author or an admin.
        """
        async with self._database.transaction() as transaction:
            note = await self._lock(transaction, actor, ticket_id, note_id)
            if actor.role != "admin" and not _is_author(actor, note):
                raise Refused("forbidden", "Only the author of a note and admins can remove it")
            await self._replace(transaction, actor, note, "ticket.note_removed", removedAt=self._clock.now())

    async def _lock(self, transaction: QueryExecutor, actor: Actor, ticket_id: str, note_id: str) -> TicketEvent:
        """Locks the ticket. Raises `not_found` for a removed note, and for the note of another ticket."""
        ticket = await fetch_by_id(transaction, actor, Ticket, "ticket_lock", ticket_id)
        note = (await ticket_events.fetch_by_ids(transaction, actor, [note_id])).get(note_id)
        if note is None or (note.ticket_id, note.type) != (ticket.id, "ticket.note_added") or is_removed(note):
            raise not_found_error("Note")
        return note

    async def _replace(
        self, transaction: QueryExecutor, actor: Actor, note: TicketEvent, event_type: TicketEventType, **detail: object
    ) -> TicketEvent:
        """Replaces the detail of a note. Erases its text from the stored response to the request that added it."""
        changed = replace(note, detail=json.dumps(detail, ensure_ascii=False))
        await transaction.execute("ticket_event_update", id=note.id, detail=changed.detail)
        await erase_answers(transaction, note.id, [note.at])
        await ticket_events.record(transaction, actor, note.ticket_id, self._clock.now(), event_type, noteId=note.id)
        return changed


def is_removed(note: TicketEvent) -> bool:
    return "text" not in json.loads(note.detail)


def _is_author(actor: Actor, note: TicketEvent) -> bool:
    """Notes without a user are by the operator, who acts without a user."""
    return note.user_id == actor.user_id

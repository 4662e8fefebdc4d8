"""API calls for the internal notes of tickets."""

from __future__ import annotations

from api.route import Call, Route
from api.schema.shape import EmptyBody, NoQuery
from api.schema.tickets import NoteAnswer, NoteChange, NoteCreate


async def add(call: Call[NoteCreate, NoQuery]) -> NoteAnswer:
    return NoteAnswer.from_event(await call.services.tickets.notes.add(call.actor, call.ids["id"], call.body.text))


async def edit(call: Call[NoteChange, NoQuery]) -> NoteAnswer:
    notes = call.services.tickets.notes
    return NoteAnswer.from_event(await notes.edit(call.actor, call.ids["id"], call.ids["note"], call.body.text))


async def remove(call: Call[EmptyBody, NoQuery]) -> None:
    await call.services.tickets.notes.remove(call.actor, call.ids["id"], call.ids["note"])


ROUTES = (
    Route(
        "POST",
        "/emails/tickets/{id}/notes",
        "addTicketNote",
        add,
        "Add an internal note to a ticket",
        "agent",
        NoteAnswer,
        body=NoteCreate,
        status=201,
        creates=True,
    ),
    Route(
        "PATCH",
        "/emails/tickets/{id}/notes/{note}",
        "updateTicketNote",
        edit,
        "Edit a note",
        "agent",
        NoteAnswer,
        body=NoteChange,
    ),
    Route(
        "DELETE",
        "/emails/tickets/{id}/notes/{note}",
        "deleteTicketNote",
        remove,
        "Remove a note",
        "agent",
        status=204,
    ),
)

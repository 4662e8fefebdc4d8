"""Notes, their drafts, and what is left of them."""

import json
from dataclasses import replace
from unittest.mock import AsyncMock

from router.clock import SECOND
from router.dispatch.retention import DRAFT_RETENTION, Retention, RetentionPeriods
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code, refused_message

UNKNOWN = "evt_" + "0" * 26


async def database_text(installation: Installation) -> str:
    """Returns the texts of all rows in which a note or a draft may be stored."""
    tables = ("ticket_events", "drafts", "idempotent_requests", "deliveries", "audit")
    found = [await installation.execute(f"SELECT * FROM {table}") for table in tables]
    return json.dumps([[dict(row) for row in rows] for rows in found], default=str)


async def test_the_author_edits_and_removes_a_note(installation: Installation) -> None:
    ticket_id, other_ticket = await installation.accept_ticket(), await installation.accept_ticket()
    tickets, notes = installation.tickets, installation.tickets.notes
    agent, colleague, admin = [await installation.add_actor(role) for role in ("agent", "agent", "admin")]
    note = await notes.add(agent, ticket_id, "Called bakc.")
    before = await tickets.list_newest_ids(agent)
    installation.clock.advance(60)
    edited = await notes.edit(agent, ticket_id, note.id, "Called back.\r\n")
    assert json.loads(edited.detail) == {"text": "Called back.\n", "editedAt": installation.clock.now()}
    assert await notes.edit(agent, ticket_id, note.id, "Called back.\n") == edited
    assert len(await tickets.list_newest_ids(agent) - before) == 1
    assert "bakc" not in await database_text(installation)
    for other in (colleague, admin, installation.actor):
        assert await refused_code(notes.edit(other, ticket_id, note.id, "Mine")) == ("forbidden", None)
    assert await refused_code(notes.remove(colleague, ticket_id, note.id)) == ("forbidden", None)
    foreign = await installation.add_actor("admin", await installation.add_workspace())
    for actor, ticket, note_id in (
        (agent, other_ticket, note.id),
        (agent, ticket_id, UNKNOWN),
        (agent, ticket_id, "nonsense"),
        (foreign, ticket_id, note.id),
    ):
        assert await refused_code(notes.edit(actor, ticket, note_id, "Hello")) == ("not_found", None)
        assert await refused_code(notes.remove(actor, ticket, note_id)) == ("not_found", None)
    for wrong in ("", " ", "a\x1bb", "x" * 20_001):
        assert await refused_code(notes.edit(agent, ticket_id, note.id, wrong)) == ("invalid_request", "text")

    by_colleague = await notes.add(colleague, ticket_id, "A secret.")
    for actor, removed in ((agent, note), (admin, by_colleague)):
        await notes.remove(actor, ticket_id, removed.id)
        assert await refused_code(notes.remove(actor, ticket_id, removed.id)) == ("not_found", None)
        assert await refused_code(notes.edit(actor, ticket_id, removed.id, "Again")) == ("not_found", None)
    stored = await database_text(installation)
    assert "Called back." not in stored
    assert "A secret." not in stored
    events = (await tickets.get(agent, ticket_id)).events
    assert [event.type.removeprefix("ticket.") for event in events] == [
        "created",
        "note_added",
        "note_changed",
        "note_added",
        "note_removed",
        "note_removed",
    ]
    assert [event.sequence for event in events] == [1, 2, 3, 4, 5, 6]
    assert [json.loads(event.detail).get("noteId") for event in events[-2:]] == [note.id, by_colleague.id]
    claim = next(event for event in events if event.type == "ticket.note_changed")
    assert await refused_code(notes.remove(agent, ticket_id, claim.id)) == ("not_found", None)
    operator_note = await notes.add(installation.actor, ticket_id, "By the operator.")
    await notes.edit(installation.actor, ticket_id, operator_note.id, "Edited.")
    assert await refused_code(notes.edit(admin, ticket_id, operator_note.id, "Hello")) == ("forbidden", None)


async def test_drafts_belong_to_one_user(installation: Installation) -> None:
    ticket_id, other_ticket = await installation.accept_ticket(), await installation.accept_ticket()
    drafts = installation.tickets.drafts
    agent, colleague = [await installation.add_actor() for _ in range(2)]
    foreign = await installation.add_actor("admin", await installation.add_workspace())
    assert await drafts.get(agent, ticket_id, "note") is None
    first = await drafts.save(agent, ticket_id, "note", "The lock")
    installation.clock.advance(1)
    saved = await drafts.save(agent, "#1", "note", "The locksmith\r\n")
    assert saved is not None
    assert (saved.text, saved.saved_at) == ("The locksmith\n", installation.clock.now())
    assert first != saved == await drafts.get(agent, ticket_id, "note")
    assert await drafts.save(colleague, ticket_id, "note", "Mine") is not None
    assert await drafts.get(agent, other_ticket, "note") is None
    for call in (
        drafts.get(foreign, ticket_id, "note"),
        drafts.save(foreign, ticket_id, "note", "Hello"),
        drafts.save(foreign, ticket_id, "note", ""),
        drafts.delete(foreign, ticket_id, "note"),
    ):
        assert await refused_code(call) == ("not_found", None)
    assert await refused_message(drafts.save(agent, ticket_id, "memo", "Hello")) == "kind must be one of: note, reply"
    for wrong in ("a\x1bb", "x" * 20_001):
        assert await refused_code(drafts.save(agent, ticket_id, "note", wrong)) == ("invalid_request", "text")
    assert await refused_code(drafts.get(installation.actor, ticket_id, "note")) == ("invalid_request", None)
    assert await drafts.get(agent, ticket_id, "note") == saved
    assert await drafts.save(agent, ticket_id, "note", " \n") is None
    assert await drafts.get(agent, ticket_id, "note") is None
    assert await drafts.get(colleague, ticket_id, "note") is not None
    await drafts.delete(colleague, ticket_id, "note")
    await drafts.delete(colleague, ticket_id, "note")
    assert await installation.count_rows("drafts") == 0


async def test_a_note_deletes_its_draft(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    drafts, notes = installation.tickets.drafts, installation.tickets.notes
    agent, colleague = [await installation.add_actor() for _ in range(2)]
    by_key = replace(agent, key_id="key_" + "0" * 26)
    await drafts.save(colleague, ticket_id, "note", "Mine")
    for author, text, is_deleted in ((agent, "Another", True), (by_key, "Another", False), (by_key, "A draft", True)):
        await drafts.save(agent, ticket_id, "note", "A draft")
        await notes.add(author, ticket_id, text)
        assert (await drafts.get(agent, ticket_id, "note") is None) == is_deleted
    await notes.add(installation.actor, ticket_id, "Mine")
    assert await drafts.get(colleague, ticket_id, "note") is not None


async def test_old_drafts_and_those_of_erased_tickets_and_users_are_deleted(installation: Installation) -> None:
    agents = [await installation.add_actor() for _ in range(3)]
    tickets = [await installation.accept_ticket() for _ in range(3)]
    for agent in agents:
        for ticket_id in tickets:
            await installation.tickets.drafts.save(agent, ticket_id, "note", "A draft")
    await installation.tickets.delete(installation.actor, tickets[0])
    await installation.services.users.delete(installation.actor, agents[0].user_id or "")
    assert await installation.count_rows("drafts") == 4
    installation.clock.advance(DRAFT_RETENTION // SECOND)
    kept = await installation.tickets.drafts.save(agents[1], tickets[1], "note", "A newer draft")
    installation.clock.advance(1)
    periods = RetentionPeriods(raw_messages=None, resolved_tickets=None, spam_tickets=None, duplicate_window=0)
    await Retention(
        installation.database, installation.contents, installation.clock, periods, pause=AsyncMock()
    ).sweep()
    assert await installation.count_rows("drafts") == 1
    assert await installation.tickets.drafts.get(agents[1], tickets[1], "note") == kept


async def test_what_an_erasure_erases(installation: Installation) -> None:
    tickets = installation.tickets
    message_id = mails.new_message_id()
    shared = await installation.accept_message(mails.mail(message_id), "support", "billing")
    one, two = [ticket.id for ticket in (await tickets.list(installation.actor)).items]
    view = await tickets.get(installation.actor, one)
    reply = mails.mail(mails.new_message_id(), extra=[f"In-Reply-To: {message_id}"])
    await installation.accept_message(reply, "support" if view.ticket.address.startswith("support") else "billing")
    notes = [await tickets.notes.add(installation.actor, one, text) for text in ("A", "B", "C")]
    await tickets.notes.remove(installation.actor, one, notes[0].id)
    await tickets.notes.edit(installation.actor, one, notes[1].id, "D")
    preview = await tickets.preview_erasure(installation.actor, "#1" if view.ticket.number == 1 else "#2")
    assert (preview.messages, preview.kept_messages, preview.notes, preview.deliveries) == (1, 1, 2, 2)
    sizes = {row["id"]: row["size"] for row in await installation.all_rows("messages")}
    assert [preview.size] == [size for key, size in sizes.items() if key != shared]
    foreign = await installation.add_actor("admin", await installation.add_workspace())
    assert await refused_code(tickets.preview_erasure(foreign, one)) == ("not_found", None)
    await tickets.delete(installation.actor, two)
    assert (await tickets.preview_erasure(installation.actor, one)).kept_messages == 0
    await tickets.delete(installation.actor, one)
    assert await installation.count_rows("messages") == 0
    assert await installation.count_rows("ticket_events") == 0

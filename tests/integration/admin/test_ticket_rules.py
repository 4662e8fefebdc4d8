"""Ticket use cases."""

import asyncio
import json
from dataclasses import replace

from router.errors import Refused
from router.filters import TicketFilter
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def event_types(installation: Installation, ticket_id: str) -> list[str]:
    view = await installation.tickets.get(installation.actor, ticket_id)
    return [event.type for event in view.events]


async def subjects(installation: Installation, wanted: TicketFilter) -> list[str]:
    return [ticket.subject for ticket in (await installation.tickets.list(installation.actor, wanted)).items]


async def test_lists_are_newest_first(installation: Installation) -> None:
    agent = await installation.add_actor()
    first = await installation.accept_ticket(mails.plain(subject="First"))
    second = await installation.accept_ticket(mails.plain(subject="Second"))
    listed = await installation.tickets.list(installation.actor)
    assert [ticket.id for ticket in listed.items] == [second, first]
    ticket = listed.items[1]
    assert (ticket.from_address, ticket.from_name) == ("ada@customer.test", "Ada Customer")
    assert (ticket.subject, ticket.status, ticket.assigned_to) == ("First", "open", None)
    assert ticket.received_at == installation.clock.now() - 1_000_000
    assert await installation.tickets.list(installation.actor, TicketFilter(unassigned=True)) == listed
    assert (await installation.tickets.list(agent, TicketFilter(assigned_to=agent.user_id))).items == ()


async def test_a_ticket_includes_messages_deliveries_and_events(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket(mails.with_attachment(message_id="<first@customer.test>"))
    reply = mails.reply_to("<first@customer.test>", from_="Jürgen Kunde <juergen@customer.test>")
    assert await installation.accept_ticket(reply) == ticket_id
    view = await installation.tickets.get(installation.actor, ticket_id)
    assert (view.ticket.number, view.ticket.address) == (1, "support@example.com")
    assert view.ticket.alias_id == installation.aliases["support"]
    first, second = [message.contents for message in view.messages]
    assert first.text.strip() == "Siehe Anhang: größer als gedacht."
    attachment = first.attachments[0]
    assert (attachment.filename, attachment.content_type) == ("Tür, Foto.png", "image/png")
    assert second.text.strip() == "It still does not open."
    assert "Have you tried the key?" in second.quoted
    assert [event.type for event in view.events] == ["ticket.created", "ticket.message_received"]
    assert [delivery.integration_id for delivery in view.deliveries] == [installation.integration_id] * 2
    assert [delivery.event for delivery in view.deliveries] == ["opened", "replied"]


async def test_a_ticket_is_claimed_once(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    agent, rival, admin = [await installation.add_actor(role) for role in ("agent", "agent", "admin")]
    claimed = await tickets.claim(agent, ticket_id)
    assert (claimed.id, claimed.status, claimed.assigned_to) == (ticket_id, "in_progress", agent.user_id)
    assert claimed.claimed_at == installation.clock.now()
    installation.clock.advance(60)
    assert await tickets.claim(agent, ticket_id) == claimed
    for late in (rival, admin):
        assert await refused_code(tickets.claim(late, ticket_id)) == ("already_claimed", None)
    for status, expected in (("in_progress", [ticket_id]), ("open", [])):
        own = TicketFilter(status=status, assigned_to=agent.user_id)
        assert [ticket.id for ticket in (await tickets.list(agent, own)).items] == expected
    assert (await tickets.list(installation.actor, TicketFilter(unassigned=True))).items == ()
    assert await event_types(installation, ticket_id) == ["ticket.created", "ticket.claimed"]
    await tickets.set_status(agent, ticket_id, "resolved")
    for late in (agent, rival):
        assert await refused_code(tickets.claim(late, ticket_id)) == ("not_open", None)


async def test_one_of_many_concurrent_claims_wins(installation: Installation) -> None:
    ticket_ids = [await installation.accept_ticket() for _ in range(3)]
    agents = [await installation.add_actor() for _ in range(12)]
    for ticket_id in ticket_ids:
        claims = (installation.tickets.claim(agent, ticket_id) for agent in agents)
        outcomes = await asyncio.gather(*claims, return_exceptions=True)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
        assert [outcome.code for outcome in refused] == ["already_claimed"] * 11
        (won,) = [outcome for outcome in outcomes if not isinstance(outcome, BaseException)]
        assert (won.id, won.status) == (ticket_id, "in_progress")


async def test_only_the_assignee_and_admins_reassign_a_ticket(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    agent, other, viewer = [await installation.add_actor(role) for role in ("agent", "agent", "viewer")]
    to_self = tickets.assign(agent, ticket_id, agent.user_id or "")
    assert await refused_code(to_self) == ("forbidden", None)
    await tickets.claim(agent, ticket_id)
    for step in (tickets.unclaim(other, ticket_id), tickets.assign(other, ticket_id, other.user_id or "")):
        assert await refused_code(step) == ("forbidden", None)
    given = await tickets.assign(agent, ticket_id, other.user_id or "")
    assert (given.assigned_to, given.status) == (other.user_id, "in_progress")
    back = await tickets.unclaim(installation.actor, ticket_id)
    assert (back.id, back.status, back.assigned_to, back.claimed_at) == (ticket_id, "open", None, None)
    assert await tickets.unclaim(installation.actor, ticket_id) == back
    for wrong in (viewer.user_id or "", "user_" + "0" * 26, "nonsense"):
        refused = await refused_code(tickets.assign(installation.actor, ticket_id, wrong))
        assert refused == ("invalid_request", "userId")
    assert await event_types(installation, ticket_id) == [
        "ticket.created",
        "ticket.claimed",
        "ticket.assigned",
        "ticket.unclaimed",
    ]


async def test_status_changes(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    agent = await installation.add_actor()
    resolved = await tickets.set_status(agent, ticket_id, "resolved")
    assert (resolved.status, resolved.resolved_at) == ("resolved", installation.clock.now())
    assert (await tickets.list(agent, TicketFilter(unassigned=True))).items == ()
    opened = await tickets.set_status(agent, ticket_id, "open")
    assert (opened.status, opened.resolved_at) == ("open", None)
    assert (await tickets.set_status(agent, ticket_id, "in_progress")).assigned_to == agent.user_id
    await tickets.set_status(agent, ticket_id, "resolved")
    reopened = await tickets.set_status(agent, ticket_id, "open")
    assert reopened.assigned_to == agent.user_id
    assert (await tickets.get(agent, ticket_id)).ticket == reopened
    for wrong in ("closed", ""):
        assert await refused_code(tickets.set_status(agent, ticket_id, wrong)) == ("invalid_status", "status")


async def test_filters_and_search(installation: Installation) -> None:
    alias_id = installation.aliases["support"]
    await installation.accept_ticket(mails.plain(subject="100% of the doors"))
    await installation.accept_ticket(mails.plain(subject="Windows", from_="Grace <grace@other.test>"))
    agent = await installation.add_actor()
    await installation.tickets.claim(agent, await installation.accept_ticket(mails.plain(subject="Door_s")))
    for wanted, expected in (
        (TicketFilter(status="in_progress"), ["Door_s"]),
        (TicketFilter(assigned_to=agent.user_id), ["Door_s"]),
        (TicketFilter(assigned_to=agent.user_id, status="open"), []),
        (TicketFilter(alias_id=alias_id, status="open"), ["Windows", "100% of the doors"]),
        (TicketFilter(alias_id="alias_none"), []),
        (TicketFilter(q="DOO"), ["Door_s", "100% of the doors"]),
        (TicketFilter(q="grace"), ["Windows"]),
        (TicketFilter(q="#2"), ["Windows"]),
        (TicketFilter(q="door", status="open", alias_id=alias_id), ["100% of the doors"]),
    ):
        assert await subjects(installation, wanted) == expected, wanted
    found = TicketFilter(q="door")
    first = await installation.tickets.list(installation.actor, found, limit=1)
    assert [ticket.subject for ticket in first.items] == ["Door_s"]
    rest = await installation.tickets.list(installation.actor, found, limit=1, cursor=first.next_cursor)
    assert [ticket.subject for ticket in rest.items] == ["100% of the doors"]


async def test_pages_are_stable_while_tickets_arrive(installation: Installation) -> None:
    old = [await installation.accept_ticket() for _ in range(5)]
    page = await installation.tickets.list(installation.actor, limit=2)
    seen = list(page.items)
    await installation.accept_ticket()
    for _ in range(2):
        page = await installation.tickets.list(installation.actor, limit=2, cursor=page.next_cursor)
        seen += page.items
    assert [ticket.id for ticket in seen] == old[::-1]
    assert page.next_cursor is None


async def test_notes_are_added_and_validated(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    agent = await installation.add_actor()
    note = await installation.tickets.notes.add(agent, ticket_id, "Called back.\r\nNo answer.")
    assert (note.type, note.user_id, json.loads(note.detail)["text"]) == (
        "ticket.note_added",
        agent.user_id,
        "Called back.\nNo answer.",
    )
    user = await installation.services.users.get(agent, agent.user_id or "")
    assert (await installation.tickets.get(agent, ticket_id)).events[-1] == replace(note, actor_name=user.email)
    for wrong in ("", "  ", "a\x1bb", "x" * 20_001):
        assert await refused_code(installation.tickets.notes.add(agent, ticket_id, wrong)) == (
            "invalid_request",
            "text",
        )


async def test_erasing_a_ticket_erases_messages_that_no_other_ticket_has(installation: Installation) -> None:
    actor, tickets, messages = installation.actor, installation.tickets, installation.services.messages
    shared = await installation.accept_message(None, "support", "billing")
    one, two = [ticket.id for ticket in (await tickets.list(actor)).items]
    await tickets.delete(actor, one)
    assert (await messages.get_raw(actor, shared)).message.id == shared
    await tickets.delete(actor, two)
    assert await refused_code(messages.get_raw(actor, shared)) == ("not_found", None)

    ticket_id = await installation.accept_ticket()
    view = await tickets.get(actor, ticket_id)
    message_id, delivery_id = view.messages[0].message.id, view.deliveries[0].id
    await tickets.delete(actor, ticket_id)
    for erased in (
        tickets.get(actor, ticket_id),
        messages.get_raw(actor, message_id),
        messages.get_trace(actor, message_id),
        installation.services.deliveries.get(actor, delivery_id),
        tickets.delete(actor, ticket_id),
    ):
        assert await refused_code(erased) == ("not_found", None)
    assert await installation.database.fetch_all("contents_raw_chunk", message_id=message_id, n=0) == []


async def test_tickets_of_another_workspace_are_hidden(installation: Installation) -> None:
    ticket_id = await installation.accept_ticket()
    tickets = installation.tickets
    admin = await installation.add_actor("admin", await installation.add_workspace())
    before = await tickets.get(installation.actor, ticket_id)
    for step in (
        tickets.get(admin, ticket_id),
        tickets.delete(admin, ticket_id),
        tickets.claim(admin, ticket_id),
        tickets.unclaim(admin, ticket_id),
        tickets.assign(admin, ticket_id, admin.user_id or ""),
        tickets.set_status(admin, ticket_id, "resolved"),
        tickets.notes.add(admin, ticket_id, "Hello"),
    ):
        assert await refused_code(step) == ("not_found", None)
    assert (await tickets.list(admin)).items == ()
    assert await tickets.get(installation.actor, ticket_id) == before

"""Users mark tickets as spam and release them, with their deliveries, in lists, searches and the timeline."""

import json

import pytest

from router.clock import to_micros
from router.filters import DeliveryFilter, TicketFilter
from router.model import Actor
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def listed(installation: Installation, spam: str | None = None, q: str | None = None) -> list[str]:
    page = await installation.tickets.lists.list(installation.actor, TicketFilter(spam=spam, q=q), limit=200)
    return [ticket.id for ticket in page.items]


async def test_a_marked_ticket_leaves_the_lists_and_holds_its_deliveries(installation: Installation) -> None:
    good = await installation.accept_ticket()
    ticket_id = await installation.accept_ticket()
    await installation.tickets.set_status(installation.actor, ticket_id, "resolved")
    before = (await installation.tickets.get(installation.actor, ticket_id)).ticket
    ada = await installation.services.users.create(
        installation.actor, email="ada@example.org", role="agent", name="Ada"
    )
    agent = Actor(installation.workspace_id, "agent", user_id=ada.id)
    for _ in range(2):  # the second time changes nothing
        marked = await installation.services.spam.mark(agent, f"#{before.number}", spam=True)
        assert (marked.spam, marked.spam_reason, marked.flagged) == (1, "Marked as spam by Ada", 0)
        assert (marked.status, marked.assigned_to) == ("resolved", None)
        assert await installation.count_rows("deliveries", f"state = 'spam' AND ticket_id = '{ticket_id}'") == 1
        assert await installation.count_rows("ticket_events", "type = 'ticket.spam_changed'") == 1
    for q in (None, "stuck"):
        assert await listed(installation, q=q) == [good]
        assert await listed(installation, "true", q) == [ticket_id]
        assert await listed(installation, "all", q) == [ticket_id, good]
    counts = await installation.tickets.lists.counts(agent)
    assert (counts.open, counts.unassigned, counts.spam) == (1, 1, 1)
    assert installation.recording_wake.integration_ids == [installation.integration_id] * 2  # both accepts

    installation.clock.advance(100)
    released = await installation.services.spam.mark(agent, ticket_id, spam=False)
    assert (released.spam, released.spam_reason, released.spam_at) == (0, "", None)
    assert installation.recording_wake.integration_ids[-1] == installation.integration_id
    assert await listed(installation, q="stuck") == [ticket_id, good]
    (due,) = (await installation.services.deliveries.list(agent, DeliveryFilter(ticket_id=ticket_id))).items
    now = installation.clock.now()
    assert (due.state, due.next_attempt_at, due.released) == ("pending", now, 1)
    assert due.expires_at == now + to_micros(installation.core.config.delivery.max_age)
    events = (await installation.tickets.get(agent, ticket_id)).events
    details = [json.loads(each.detail) for each in events if each.type == "ticket.spam_changed"]
    assert details == [{"spam": True, "reason": "Marked as spam by Ada"}, {"spam": False}]


@pytest.mark.parametrize(("block", "entry"), [("address", "ann@customer.test"), ("domain", "@customer.test")])
async def test_an_admin_also_blocks_the_sender(installation: Installation, block: str, entry: str) -> None:
    spam = installation.services.spam
    ticket_id = await installation.accept_ticket(mails.plain(from_="Ann <ann@customer.test>"))
    assert await refused_code(
        spam.mark(Actor(installation.workspace_id, "agent"), ticket_id, spam=True, block=block)
    ) == (
        "forbidden",
        None,
    )
    assert await refused_code(spam.mark(installation.actor, ticket_id, spam=False, block=block)) == (
        "invalid_request",
        "block",
    )
    assert await refused_code(spam.mark(installation.actor, "ticket_none", spam=True, block=block)) == (
        "not_found",
        None,
    )
    assert await listed(installation, "true") == []
    for _ in range(2):
        await spam.mark(installation.actor, ticket_id, spam=True, block=block)
    blocked = (await installation.services.blocked_senders.list(installation.actor)).items
    assert [each.sender for each in blocked] == [entry]
    assert await installation.count_rows("audit", f"action = 'blocked_sender.create' AND target = '{entry}'") == 1
    assert (await installation.services.spam.mark(installation.actor, ticket_id, spam=True)).spam_reason == (
        "Marked as spam by the operator"
    )


async def test_many_senders_are_blocked_once_each(installation: Installation) -> None:
    spam, blocked_senders = installation.services.spam, installation.services.blocked_senders
    await blocked_senders.create(installation.actor, "old@customer.test", action="spam")
    addresses = ["ann@customer.test"] * 13 + ["old@customer.test"] * 13 + ["bob@customer.test", "Ann@customer.test"]
    known = [await installation.accept_ticket(mails.plain(from_=address)) for address in addresses]
    await installation.execute(f"UPDATE tickets SET from_address = 'nobody' WHERE id = '{known[0]}'")
    agent = Actor(installation.workspace_id, "agent")
    assert await refused_code(spam.mark_many(agent, known, spam=True, block="address")) == ("forbidden", None)
    result = await spam.mark_many(installation.actor, [*known, "ticket_none"], spam=True, block="address")
    assert (set(result.changed), result.missing, result.without_sender) == (set(known), 1, 1)
    assert set(result.blocked) == {"ann@customer.test", "bob@customer.test"}
    assert result.already_blocked == ("old@customer.test",)
    listed_now = {each.sender: each.action for each in await blocked_senders.list_all(installation.workspace_id)}
    assert listed_now == {"ann@customer.test": "refuse", "bob@customer.test": "refuse", "old@customer.test": "spam"}
    assert await refused_code(spam.mark(installation.actor, known[0], spam=True, block="domain")) == (
        "invalid_request",
        "block",
    )


async def test_many_tickets_are_marked_in_several_transactions(installation: Installation) -> None:
    known = [await installation.accept_ticket() for _ in range(30)]
    spam = installation.services.spam
    result = await spam.mark_many(installation.actor, [*known[:28], "ticket_none", known[0]], spam=True)
    assert (set(result.changed), result.missing) == (set(known[:28]), 1)
    assert await listed(installation) == known[:27:-1]
    assert set((await spam.mark_many(installation.actor, known, spam=False)).changed) == set(known[:28])
    assert await listed(installation) == known[::-1]

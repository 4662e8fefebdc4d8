"""What a workspace knows about a sender."""

import pytest

from router.admin.tickets import senders
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code


async def accept(installation: Installation, sender: str, *, extra: tuple[str, ...] = ()) -> tuple[str, str]:
    """Returns the ids of the ticket and the Message-ID."""
    message_id = mails.new_message_id()
    return await installation.accept_ticket(mails.mail(message_id, sender=sender, extra=list(extra))), message_id


async def test_a_sender_and_their_tickets(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    tickets, actor = installation.tickets, installation.actor
    first, first_message = await accept(installation, "Ada@Customer.test")
    first_at = installation.clock.now()
    found = [first, *[(await accept(installation, "ada@customer.test"))[0] for _ in range(22)]]
    await accept(installation, "ada@customer.example")
    await accept(installation, "xada@customer.test")
    for status, ticket_id in zip(("in_progress", "waiting", "resolved", "resolved"), found, strict=False):
        await tickets.set_status(actor, ticket_id, status)
    await tickets.tags.tag_ticket(actor, found[-1], add=["VIP"])
    view = await installation.services.senders.get(actor, " ADA@customer.test ")
    assert view.address == "ada@customer.test"
    assert view.counts == {"open": 19, "in_progress": 1, "waiting": 1, "resolved": 2}
    assert [ticket.id for ticket in view.recent] == found[:2:-1]
    assert [tag.name for tag in view.recent[0].tags] == ["VIP"]
    assert (view.first_seen_at, view.last_seen_at) == (first_at, view.recent[0].received_at)

    # The newest message may be a reply of theirs; replies of others do not count.
    reply, _ = await accept(installation, "ADA@customer.test", extra=(f"In-Reply-To: {first_message}",))
    assert reply == first
    monkeypatch.setattr(senders, "MAX_RECENT", 30)
    seen_at = installation.clock.now()
    await accept(installation, "ada@customer.example")
    assert (await installation.services.senders.get(actor, "ada@customer.test")).last_seen_at == seen_at
    monkeypatch.setattr(senders, "MAX_COUNTED", 2)
    assert sum((await installation.services.senders.get(actor, "ada@customer.test")).counts.values()) == 2


async def test_senders_of_other_workspaces_and_unknown_senders_have_no_tickets(installation: Installation) -> None:
    await accept(installation, "ada@customer.test")
    foreign = await installation.add_actor("admin", await installation.add_workspace())
    for actor, address in ((foreign, "ada@customer.test"), (installation.actor, "nobody@customer.test")):
        view = await installation.services.senders.get(actor, address)
        assert (set(view.counts.values()), view.first_seen_at, view.last_seen_at, view.recent) == ({0}, None, None, ())
    for wrong in ("", "ada", "@customer.test", "ada@", "ada@a b", "a\x01@b", "x" * 330 + "@b"):
        refused = await refused_code(installation.services.senders.get(installation.actor, wrong))
        assert refused == ("invalid_request", "address"), wrong

"""Mail of users to the tag of a ticket, which is our answer once its sender is proven."""

from dataclasses import replace

import pytest

from router.checks.decision import SenderFacts
from router.reply_tokens import ticket_tag, ticket_token
from router.routing.route import Target
from tests.integration.checks.conftest import FAIL, PASS, QueuedInstallation
from tests.support import mails

AGENT = "agent@customer.test"  # at a domain that is not ours, so that no warning follows
PROVEN = replace(PASS, is_authenticated=True)


async def tagged_target(checked: QueuedInstallation) -> Target:
    """Opens a ticket at `support` and returns the address of its tag."""
    installation = checked.installation
    await installation.accept_message(mails.plain(from_="ann@customer.test"))
    await checked.check()
    await installation.add_user_with_key("agent", AGENT)
    return installation.target(
        "support", tag=ticket_tag(ticket_token(installation.core.box, installation.workspace_id, 1))
    )


async def rows(checked: QueuedInstallation) -> tuple[object, ...]:
    (message,) = await checked.installation.execute("SELECT * FROM messages ORDER BY id DESC LIMIT 1")
    events = await checked.installation.execute("SELECT type, actor_type FROM ticket_events ORDER BY sequence")
    return message["direction"], [(event["type"], event["actor_type"]) for event in events]


@pytest.mark.parametrize("status", ["open", "in_progress", "waiting", "resolved"])
async def test_a_proven_answer_is_ours(checked: QueuedInstallation, status: str) -> None:
    target = await tagged_target(checked)
    installation = checked.installation
    await installation.execute("UPDATE tickets SET status = :status", status=status)
    content = mails.plain(from_=f"Agent <{AGENT.upper()}>", message_id="<own@customer.test>")
    await installation.accept_message(content, target)
    assert (await checked.ticket())["status"] == status
    stored = await checked.check(PROVEN)
    assert stored.due_integrations == ()
    changed = status in ("open", "in_progress")
    events = [("ticket.claimed", "user"), *([("ticket.status_changed", "user")] if changed else [])]
    assert await rows(checked) == ("outbound", events)
    ticket, (author,) = (
        await checked.ticket(),
        await installation.execute(f"SELECT id FROM users WHERE email = '{AGENT}'"),
    )
    assert (ticket["status"], ticket["assigned_to"]) == ("waiting" if changed else status, author["id"])
    assert await installation.count_rows("deliveries", "event <> 'updated'") == 1
    # The answer of a stranger to our answer joins and reopens the ticket.
    answer = mails.plain(from_="carla@elsewhere.test", headers={"In-Reply-To": "<own@customer.test>"})
    await installation.accept_message(answer)
    assert len(await installation.all_rows("tickets")) == 1
    assert (await checked.ticket())["status"] == "open"


@pytest.mark.parametrize("facts", [FAIL, PASS, replace(PROVEN, from_domain="other.test")])
async def test_an_answer_that_is_not_proven_is_posted(checked: QueuedInstallation, facts: SenderFacts) -> None:
    target = await tagged_target(checked)
    await checked.installation.execute("UPDATE tickets SET status = 'resolved'")
    await checked.installation.accept_message(mails.plain(from_=AGENT), target)
    assert (await checked.ticket())["status"] == "resolved"
    stored = await checked.check(facts)
    assert stored.due_integrations == (checked.installation.integration_id,)
    assert await rows(checked) == ("inbound", [("ticket.reopened", "mail")])
    assert (await checked.ticket())["status"] == "open"


async def test_customers_and_viewers_do_not_answer_for_us(checked: QueuedInstallation) -> None:
    target = await tagged_target(checked)
    await checked.installation.add_user_with_key("viewer", "viewer@customer.test")
    for sender in ("ann@customer.test", "viewer@customer.test"):
        await checked.installation.execute("UPDATE tickets SET status = 'waiting'")
        await checked.installation.accept_message(mails.plain(from_=sender), target)
        assert (await checked.ticket())["status"] == "open"
        await checked.check(PROVEN)
        assert (await rows(checked))[0] == "inbound"


async def test_a_user_who_writes_to_the_alias_is_not_answering(checked: QueuedInstallation) -> None:
    await tagged_target(checked)
    await checked.installation.accept_message(mails.plain(from_=AGENT))
    await checked.check(PROVEN)
    assert (await rows(checked))[0] == "inbound"

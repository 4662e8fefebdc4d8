"""What follows for tickets and deliveries when the results of a check are stored."""

import json
from dataclasses import replace

import pytest

from router.checks.check_queue import LEASE, CheckQueue
from router.checks.decision import SenderFacts
from router.clock import SECOND
from router.store.database import run_statements
from router.store.spam_marks import SpamActor, mark_spam, release_spam
from tests.integration.checks.conftest import FAIL, PASS, QueuedInstallation, results
from tests.support import mails

HOLD = json.dumps({"on_fail": "quarantine"})


async def test_a_delivery_waits_for_the_check_and_then_is_due(checked: QueuedInstallation) -> None:
    await checked.installation.accept_message()
    accepted_at = checked.installation.clock.now()
    before = await checked.delivery()
    assert (before["awaiting"], before["next_attempt_at"]) == ("checks", accepted_at + SECOND)
    assert checked.installation.recording_wake.checks == 1
    assert checked.installation.recording_wake.integration_ids == []
    stored = await checked.check()
    after = await checked.delivery()
    assert (after["awaiting"], after["next_attempt_at"]) == (None, checked.installation.clock.now())
    assert stored.due_integrations == (checked.installation.integration_id,)
    assert await checked.installation.execute("SELECT * FROM check_queue") == []
    (row,) = await checked.installation.execute("SELECT * FROM message_checks")
    assert (row["state"], row["rechecked"]) == ("done", 0)


async def test_a_delivery_waits_longer_where_the_check_can_hold_it(checked: QueuedInstallation) -> None:
    await checked.set_policy(HOLD)
    await checked.installation.accept_message()
    assert (await checked.delivery())["next_attempt_at"] == checked.installation.clock.now() + 6 * SECOND


@pytest.mark.parametrize(
    "sender", ["boss@example.com", "Ann <ann@customer.test>, boss@mail.example.com", "x@blocked.test"]
)
async def test_a_delivery_of_a_suspicious_sender_waits_longer(checked: QueuedInstallation, sender: str) -> None:
    installation = checked.installation
    await installation.services.blocked_senders.create(installation.actor, "@blocked.test", action="spam")
    installation.clock.advance(1)
    await installation.accept_message(mails.mail(sender=sender))
    assert (await checked.delivery())["next_attempt_at"] == installation.clock.now() + 6 * SECOND


async def test_a_ticket_that_was_posted_is_not_hidden(checked: QueuedInstallation) -> None:
    await checked.set_policy(HOLD)
    await checked.installation.accept_message()
    await checked.installation.execute("UPDATE deliveries SET state = 'delivered', next_attempt_at = NULL")
    await checked.check(FAIL)
    ticket = await checked.ticket()
    assert (ticket["spam"], ticket["flagged"]) == (0, 1)


async def test_a_message_without_an_integration_is_checked(checked: QueuedInstallation) -> None:
    await checked.installation.add_alias("quiet", None)
    await checked.installation.accept_message(None, "quiet")
    assert (await checked.check()).due_integrations == ()


@pytest.mark.parametrize(
    ("policy", "facts", "is_spam", "flagged"),
    [
        ("{}", PASS, 0, 0),
        ("{}", FAIL, 0, 1),
        (json.dumps({"on_fail": "show"}), FAIL, 0, 0),
        (HOLD, FAIL, 1, 0),
        (HOLD, replace(FAIL, dmarc_policy="none"), 0, 1),
        (HOLD, replace(FAIL, is_relayed=True), 0, 0),
        (HOLD, replace(FAIL, is_relayed=True, is_own_domain=True), 0, 1),
        (HOLD, replace(FAIL, allowed="ann@customer.test"), 0, 0),
        ("{}", replace(FAIL, dmarc="none", is_own_domain=True), 0, 1),
        (json.dumps({"on_fail": "show"}), replace(FAIL, is_own_domain=True), 0, 1),
        ("{}", replace(FAIL, dmarc="temperror", is_own_domain=True), 0, 1),
        (HOLD, replace(FAIL, dmarc="temperror"), 0, 0),
        (HOLD, replace(FAIL, dmarc="permerror"), 0, 0),
        (HOLD, replace(FAIL, dmarc="permerror", from_domain=""), 0, 1),
        ("{}", replace(PASS, blocked="@customer.test"), 1, 0),
        (json.dumps({"on_spam": "flag"}), replace(PASS, blocked="@customer.test"), 0, 1),
    ],
)
async def test_the_policy_decides(
    checked: QueuedInstallation, policy: str, facts: SenderFacts, is_spam: int, flagged: int
) -> None:
    await checked.set_policy(policy)
    await checked.installation.accept_message()
    stored = await checked.check(facts)
    ticket, delivery = await checked.ticket(), await checked.delivery()
    assert (ticket["spam"], ticket["flagged"]) == (is_spam, flagged)
    assert (stored.is_spam, stored.is_flagged) == (bool(is_spam), bool(flagged))
    assert (ticket["spam_reason"] != "", ticket["spam_at"] is not None) == (bool(is_spam), bool(is_spam))
    (link,) = await checked.installation.all_rows("ticket_messages")
    assert (link["warning"] != "") == bool(flagged)
    assert delivery["state"] == ("spam" if is_spam else "pending")
    events = [row["type"] for row in await checked.installation.all_rows("ticket_events")]
    assert events == ["ticket.spam_changed"] * is_spam


async def test_messages_that_join_spam_are_held_with_it(checked: QueuedInstallation) -> None:
    await checked.set_policy(HOLD)
    installation = checked.installation
    await installation.accept_message(mails.plain(message_id="<first@customer.test>"))
    await installation.accept_message(mails.reply_to("<first@customer.test>", message_id="<second@customer.test>"))
    await checked.check(FAIL)
    assert [row["state"] for row in await installation.all_rows("deliveries")] == ["spam", "spam"]
    await installation.accept_message(mails.reply_to("<first@customer.test>", message_id="<third@customer.test>"))
    assert [row["state"] for row in await installation.all_rows("deliveries")] == ["spam"] * 3
    await checked.check(PASS)
    await checked.check(PASS)
    assert [row["state"] for row in await installation.all_rows("deliveries")] == ["spam"] * 3


async def test_a_later_message_cannot_hide_a_conversation(checked: QueuedInstallation) -> None:
    await checked.set_policy(HOLD)
    installation = checked.installation
    await installation.accept_message(mails.plain(message_id="<first@customer.test>"))
    await checked.check(PASS)
    await installation.accept_message(mails.reply_to("<first@customer.test>", message_id="<second@customer.test>"))
    await checked.check(FAIL)
    ticket = await checked.ticket()
    assert (ticket["spam"], ticket["flagged"]) == (0, 1)
    assert [row["state"] for row in await installation.all_rows("deliveries")] == ["pending", "pending"]


async def test_a_ticket_that_a_person_has_taken_is_not_hidden(checked: QueuedInstallation) -> None:
    await checked.set_policy(HOLD)
    ticket_id = await checked.installation.accept_ticket()
    await checked.installation.tickets.claim(await checked.installation.add_actor(), ticket_id)
    await checked.check(FAIL)
    ticket = await checked.ticket()
    assert (ticket["spam"], ticket["flagged"]) == (0, 1)


async def test_a_later_check_changes_only_the_results(checked: QueuedInstallation) -> None:
    installation = checked.installation
    message_id = await installation.accept_message()
    await checked.check(PASS)
    await checked.set_policy(HOLD)
    await installation.database.execute("check_queue_add", message_id=message_id)
    await checked.check(FAIL)
    (row,) = await installation.execute("SELECT * FROM message_checks")
    assert row["rechecked"] == 1
    ticket = await checked.ticket()
    assert (ticket["spam"], ticket["flagged"]) == (0, 0)


async def test_released_deliveries_are_due_with_their_time_to_retry(checked: QueuedInstallation) -> None:
    installation = checked.installation
    ticket_id = await installation.accept_ticket()
    await checked.check(PASS)
    actor = {ticket_id: SpamActor("user", "user_1", "user_1")}
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, mark_spam({ticket_id: "Marked as spam"}, actor, installation.clock.now()))
    assert (await checked.delivery())["state"] == "spam"
    installation.clock.advance(days=5)
    now = installation.clock.now()
    async with installation.database.transaction() as transaction:
        due = await run_statements(transaction, release_spam([ticket_id], actor, now, expires_at=now + SECOND))
    delivery, ticket = await checked.delivery(), await checked.ticket()
    assert due == [installation.integration_id]
    assert (delivery["state"], delivery["next_attempt_at"], delivery["released"]) == ("pending", now, 1)
    assert (ticket["spam"], ticket["spam_reason"], ticket["spam_at"]) == (0, "", None)


async def test_a_released_delivery_whose_integration_was_deleted_fails(checked: QueuedInstallation) -> None:
    installation = checked.installation
    ticket_id = await installation.accept_ticket()
    actor = {ticket_id: SpamActor("user", "user_1", "user_1")}
    now = installation.clock.now()
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, mark_spam({ticket_id: "Marked as spam"}, actor, now))
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.services.integrations.delete(installation.actor, installation.integration_id)
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, release_spam([ticket_id], actor, now, expires_at=now + SECOND))
    delivery = await checked.delivery()
    assert (delivery["state"], delivery["last_error"]) == ("dead", "the integration was removed")
    assert (await checked.ticket())["spam"] == 0


async def test_an_erased_message_leaves_the_queue(checked: QueuedInstallation) -> None:
    installation = checked.installation
    ticket_id = await installation.accept_ticket()
    await installation.tickets.delete(installation.actor, ticket_id)
    assert await checked.claim() == []
    assert await installation.execute("SELECT * FROM check_queue") == []


async def test_a_message_erased_during_its_check_is_forgotten(checked: QueuedInstallation) -> None:
    installation = checked.installation
    ticket_id = await installation.accept_ticket()
    (claimed,) = await checked.claim()
    await installation.tickets.delete(installation.actor, ticket_id)
    await checked.queue.store(claimed.message, results(installation.clock.now()))
    assert await installation.execute("SELECT * FROM message_checks") == []
    assert await installation.execute("SELECT * FROM check_queue") == []


async def test_two_processes_claim_different_messages(checked: QueuedInstallation) -> None:
    installation = checked.installation
    other = CheckQueue(installation.database, installation.core.writers, installation.clock)
    await installation.accept_message()
    await installation.accept_message()
    (first,) = await checked.queue.claim(1)
    (second,) = await other.claim(5)
    assert first.message.id != second.message.id
    assert await checked.queue.claim(5) == []
    installation.clock.advance(LEASE // SECOND)
    assert [each.claims for each in await other.claim(5)] == [2, 2]


async def test_the_entries_that_decide_are_counted(checked: QueuedInstallation) -> None:
    installation = checked.installation
    services = installation.services
    await services.blocked_senders.create(installation.actor, "@customer.test", action="spam")
    await services.allowed_senders.create(installation.actor, "ann@customer.test")
    for facts in (replace(PASS, blocked="@customer.test"), replace(PASS, allowed="ann@customer.test"), PASS):
        await installation.accept_message()
        await checked.check(facts)
    for table in ("blocked_senders", "allowed_senders"):
        (row,) = await installation.execute(f"SELECT * FROM {table}")
        assert (row["hits"], row["last_hit_at"]) == (
            1,
            installation.clock.now() - SECOND * (2 if "block" in table else 1),
        )


async def test_open_pages_learn_of_the_results(checked: QueuedInstallation) -> None:
    installation = checked.installation
    await installation.accept_message()
    before = await installation.tickets.list_newest_ids(installation.actor)
    await checked.check(FAIL)
    after = await installation.tickets.list_newest_ids(installation.actor)
    assert before < after
    assert (await installation.tickets.list_newest_ids_by_workspace())[installation.workspace_id] == after
    assert max(after).startswith(max(before))

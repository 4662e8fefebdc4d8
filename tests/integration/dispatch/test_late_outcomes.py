"""An outcome that is recorded after the lease was lost undoes nothing that another process has sent since."""

from __future__ import annotations

import pytest

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.dispatch.delivery_batch import NotSent
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.manual_delivery import (
    FIRST,
    OPEN,
    REPLY,
    ManualDelivery,
    only_state,
    open_ticket,
    set_status,
    shown_state,
)

LEASE_SECONDS = 3600  # longer than any lease


@pytest.fixture
async def other(posting: ManualDelivery) -> ManualDelivery:
    """Another deliver process."""
    return ManualDelivery(posting.installation, posting.service)


async def _take_over(posting: ManualDelivery, other: ManualDelivery) -> None:
    posting.installation.clock.advance(LEASE_SECONDS)
    await other.deliver()


async def test_a_late_edit_does_not_hide_what_the_post_shows(posting: ManualDelivery, other: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await set_status(posting, ticket_id, "resolved")
    await _take_over(posting, other)
    assert only_state(posting)["Status"] == "Resolved"
    await posting.record(batch, outcome)
    await set_status(posting, ticket_id, "waiting")
    await other.deliver()
    assert only_state(posting)["Status"] == "Waiting"
    assert await posting.updates() == []


async def test_the_state_of_an_edit_that_is_sent_late_is_replaced(
    posting: ManualDelivery, other: ManualDelivery
) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await set_status(posting, ticket_id, "resolved")
    await _take_over(posting, other)
    outcome = await posting.send_late(batch)
    assert only_state(posting)["Status"] == "Waiting"
    await posting.record(batch, outcome)
    await other.deliver()
    assert only_state(posting)["Status"] == "Resolved"
    assert await posting.updates() == []


@pytest.mark.parametrize("response", [None, FixedResponse(500, ""), FixedResponse(400, '{"code": 240000}')])
async def test_a_late_edit_is_replaced_also_if_another_edit_is_being_sent(
    posting: ManualDelivery, other: ManualDelivery, response: FixedResponse | None
) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await set_status(posting, ticket_id, "resolved")
    posting.installation.clock.advance(LEASE_SECONDS)
    newer = await other.claim_batch()
    (message_id,) = posting.discord.messages
    if response is not None:
        posting.discord.script(f"{posting.discord.path()}/messages/{message_id}", response)
    newer_outcome = await other.send(newer)
    await posting.record(batch, await posting.send_late(batch))
    await other.record(newer, newer_outcome)
    await other.deliver()
    assert only_state(posting)["Status"] == "Resolved"
    assert await posting.updates() == []


@pytest.mark.parametrize("is_recorded", [True, False])
async def test_a_change_back_after_an_edit_without_a_response_is_shown(
    posting: ManualDelivery, *, is_recorded: bool
) -> None:
    """The service has executed the edit, but the response or the outcome was lost."""
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await posting.send(batch)
    if is_recorded:
        await posting.record(batch, SendRetry(None, "timed out"))
    await set_status(posting, ticket_id, "open")
    posting.installation.clock.advance(LEASE_SECONDS)
    await posting.deliver()
    assert only_state(posting) == OPEN
    assert await posting.updates() == []


async def test_a_late_edit_is_replaced_also_if_its_delivery_was_deleted(
    posting: ManualDelivery, other: ManualDelivery
) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await posting.installation.execute("DELETE FROM deliveries WHERE event = 'updated'")
    await set_status(posting, ticket_id, "open")
    await _take_over(posting, other)
    await posting.record(batch, outcome)
    await other.deliver()
    assert only_state(posting) == OPEN


async def test_a_late_edit_without_a_response_is_replaced(posting: ManualDelivery, other: ManualDelivery) -> None:
    """The service may have executed it after the edit of the other process."""
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await _take_over(posting, other)
    await posting.record(batch, SendRetry(None, "timed out"))
    assert len(await other.deliver()) == 1
    assert only_state(posting)["Status"] == "Waiting"


@pytest.mark.parametrize("outcome", [SendFailure("rejected", "blocked"), NotSent(None, "not sent")])
async def test_a_late_outcome_that_changed_no_post_costs_nothing(
    posting: ManualDelivery, other: ManualDelivery, outcome: SendFailure | NotSent
) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await _take_over(posting, other)
    await posting.record(batch, outcome)
    assert await other.deliver() == []
    assert await posting.updates("dead") == []


async def test_the_late_loss_of_a_message_keeps_the_new_post(posting: ManualDelivery, other: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.messages.clear()
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "gone"
    await _take_over(posting, other)
    await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
    await other.deliver()
    await posting.record(batch, outcome)
    await set_status(posting, ticket_id, "resolved")
    await other.deliver()
    assert only_state(posting)["Status"] == "Resolved"


@pytest.mark.parametrize("is_repeated_first", [True, False])
async def test_a_repeated_first_message_is_the_post(
    posting: ManualDelivery, other: ManualDelivery, *, is_repeated_first: bool
) -> None:
    """Two processes have sent the first message; either outcome can be recorded first."""
    ticket_id = await posting.installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    posting.installation.clock.advance(LEASE_SECONDS)
    repeated = await other.claim_batch()
    repeated_outcome = await other.send(repeated)
    late, last = (posting.record(batch, outcome), other.record(repeated, repeated_outcome))
    for recording in (last, late) if is_repeated_first else (late, last):
        await recording
    await set_status(posting, ticket_id, "waiting")
    await other.deliver()
    states = [shown_state(message)["Status"] for message in posting.discord.messages.values()]
    assert states == ["Open", "Waiting"]


async def test_a_message_that_is_recorded_late_is_not_repeated(posting: ManualDelivery, other: ManualDelivery) -> None:
    """The other process has the lease, but has not sent the message yet."""
    ticket_id = await posting.installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await posting.installation.execute("UPDATE integrations SET lease_owner = 'another process'")
    await set_status(posting, ticket_id, "waiting")
    await posting.record(batch, outcome)
    posting.installation.clock.advance(LEASE_SECONDS)
    await other.deliver()
    assert (posting.requests("POST"), posting.requests("PATCH")) == (1, 1)
    assert only_state(posting) == OPEN | {"Status": "Waiting"}


@pytest.mark.parametrize(
    "outcome",
    [
        SendFailure("permanent", "the webhook was deleted"),
        SendFailure("rejected", "blocked"),
        SendRetry(300.0, "limited"),
    ],
    ids=lambda outcome: outcome.reason,
)
async def test_a_late_failure_changes_only_the_attempt(
    posting: ManualDelivery, other: ManualDelivery, outcome: SendFailure | SendRetry
) -> None:
    await posting.installation.accept_ticket()
    batch = await posting.claim_batch()
    posting.installation.clock.advance(LEASE_SECONDS)
    newer = await other.claim_batch()
    before = await posting.rows("deliveries"), await posting.rows("integrations")
    await posting.record(batch, outcome)
    assert (await posting.rows("deliveries"), await posting.rows("integrations")) == before
    await other.record(newer, SendSuccess(200))
    attempts = await posting.installation.execute("SELECT outcome, answer FROM attempts ORDER BY n")
    assert attempts[0]["answer"] == outcome.reason
    assert [each["state"] for each in await posting.rows("deliveries")] == ["delivered"]


async def test_the_late_success_of_a_probe_does_not_reactivate(posting: ManualDelivery, other: ManualDelivery) -> None:
    installation = posting.installation
    await installation.accept_ticket()
    posting.discord.remove_webhook("general")
    await posting.deliver()
    installation.clock.advance(LEASE_SECONDS)
    probe = await posting.claim_batch()
    await _take_over(posting, other)
    await posting.record(probe, SendSuccess(200))
    (integration,) = await posting.rows("integrations")
    assert integration["status"] == "failing"
    assert [each["state"] for each in await posting.rows("deliveries")] == ["delivered"]


async def test_a_late_message_of_a_deleted_integration_is_no_post(posting: ManualDelivery) -> None:
    installation = posting.installation
    await installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    assert isinstance(outcome, SendSuccess)
    assert outcome.ref
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.services.integrations.delete(installation.actor, installation.integration_id)
    await posting.record(batch, outcome)
    assert await posting.rows("posts") == []
    attempts = await installation.execute("SELECT outcome FROM attempts")
    assert [each["outcome"] for each in attempts] == ["sent"]

"""If only updates are pending, they test whether a failing integration works again."""

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.manual_delivery import ManualDelivery, only_state, open_ticket, set_status

PROBE_SECONDS = 3600  # at least the interval of probes


async def leave_only_an_update(posting: ManualDelivery) -> str:
    """Makes the integration failing, with an update and without messages that are pending; returns the ticket's id."""
    ticket_id = await open_ticket(posting)
    posting.discord.remove_webhook("general")
    await posting.installation.accept_message(mails.plain(subject="Second"))
    await posting.deliver()
    await set_status(posting, ticket_id, "waiting")
    posting.discord.restore_webhook("general")
    posting.discord.script(posting.discord.path(), FixedResponse(400, '{"code": 240000}'))
    posting.installation.clock.advance(PROBE_SECONDS)
    (outcome,) = await posting.deliver()
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "rejected"
    await assert_status(posting, "failing")
    return ticket_id


async def assert_status(posting: ManualDelivery, status: str) -> None:
    (integration,) = await posting.rows("integrations")
    assert integration["status"] == status


async def probe(posting: ManualDelivery) -> list[object]:
    assert await posting.outbox.find_ready_integrations(10) == []
    posting.installation.clock.advance(PROBE_SECONDS)
    assert await posting.outbox.find_ready_integrations(10) == [posting.installation.integration_id]
    return list(await posting.deliver())


def message_path(posting: ManualDelivery) -> str:
    return f"{posting.discord.path()}/messages/{next(iter(posting.discord.messages))}"


async def test_an_update_reactivates_the_integration(posting: ManualDelivery) -> None:
    await leave_only_an_update(posting)
    (outcome,) = await probe(posting)
    assert isinstance(outcome, SendSuccess)
    await assert_status(posting, "active")
    assert only_state(posting)["Status"] == "Waiting"
    assert await posting.updates() == []


async def test_a_message_tests_before_an_update(posting: ManualDelivery) -> None:
    await leave_only_an_update(posting)
    await posting.installation.accept_message(mails.plain(subject="Third"))
    await probe(posting)
    assert [post.method for post in posting.service.posts][-2:] == ["POST", "PATCH"]
    await assert_status(posting, "active")


async def test_a_failed_update_waits_for_the_next_test(posting: ManualDelivery) -> None:
    await leave_only_an_update(posting)
    posting.discord.script(message_path(posting), FixedResponse(404, '{"code": 10015}'), FixedResponse(500, ""))
    for outcome in (SendFailure, SendRetry):
        assert [type(each) for each in await probe(posting)] == [outcome]
        await assert_status(posting, "failing")
    posting.installation.clock.advance(days=10)  # parked time does not count towards the expiry
    await posting.deliver()
    await assert_status(posting, "active")
    assert only_state(posting)["Status"] == "Waiting"


async def test_a_test_waits_as_long_as_the_service_says(posting: ManualDelivery) -> None:
    await leave_only_an_update(posting)
    posting.discord.script(message_path(posting), FixedResponse(429, '{"retry_after": 3600}'))
    (outcome,) = await probe(posting)  # the interval is 20 minutes then
    assert isinstance(outcome, SendRetry)
    (integration,) = await posting.rows("integrations")
    assert integration["probe_at"] == posting.installation.clock.now() + PROBE_SECONDS * SECOND


async def test_a_deleted_message_shows_that_the_webhook_works(posting: ManualDelivery) -> None:
    await leave_only_an_update(posting)
    posting.discord.messages.clear()
    (outcome,) = await probe(posting)
    assert isinstance(outcome, SendFailure)
    assert outcome.kind == "gone"
    await assert_status(posting, "active")
    assert await posting.rows("posts") == await posting.updates() == []


async def test_a_change_during_the_test_is_shown(posting: ManualDelivery) -> None:
    ticket_id = await leave_only_an_update(posting)
    posting.installation.clock.advance(PROBE_SECONDS)
    batch = await posting.claim_batch()
    assert batch.probe
    outcome = await posting.send(batch)
    await set_status(posting, ticket_id, "resolved")
    await posting.record(batch, outcome)
    await assert_status(posting, "active")
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"

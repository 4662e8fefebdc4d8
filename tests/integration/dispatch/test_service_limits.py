"""A limit that the service states is kept, also if the settings were saved during the request."""

import pytest

from router.channels.contract import SendSuccess
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.manual_delivery import ManualDelivery, only_state, open_ticket, set_status

LIMIT_SECONDS = 300
LIMIT = FixedResponse(429, f'{{"retry_after": {LIMIT_SECONDS}.5}}')
GLOBAL_LIMITS = [
    FixedResponse(429, f'{{"retry_after": {LIMIT_SECONDS}.5, "global": true}}'),
    FixedResponse(429, "", {"Retry-After": str(LIMIT_SECONDS), "X-RateLimit-Global": "true"}),
]


async def assert_paused(posting: ManualDelivery) -> None:
    """Checks that nothing is sent for `LIMIT_SECONDS`, and everything afterwards."""
    installation = posting.installation
    assert await posting.deliver() == []
    installation.clock.advance(LIMIT_SECONDS - 60)
    assert await posting.outbox.find_ready_integrations(10) == []
    assert await posting.deliver() == []
    installation.clock.advance(120)
    outcomes = await posting.deliver()
    assert outcomes
    assert all(isinstance(outcome, SendSuccess) for outcome in outcomes)


async def save_settings(posting: ManualDelivery, **settings: str) -> None:
    installation = posting.installation
    await installation.services.integrations.change(installation.actor, installation.integration_id, settings=settings)


async def test_saved_settings_do_not_end_a_limit(posting: ManualDelivery) -> None:
    await posting.installation.accept_ticket()
    posting.discord.script(posting.discord.path(), LIMIT)
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await save_settings(posting, username="Help desk")
    await posting.record(batch, outcome)
    await assert_paused(posting)


async def test_saved_settings_do_not_end_a_limit_of_edits(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.script(f"{posting.discord.path()}/messages/{next(iter(posting.discord.messages))}", LIMIT)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await save_settings(posting, username="Help desk")
    await posting.record(batch, outcome)
    await assert_paused(posting)
    assert only_state(posting)["Status"] == "Waiting"


async def test_the_limit_of_one_webhook_does_not_delay_another_one(posting: ManualDelivery) -> None:
    await posting.installation.accept_ticket()
    posting.discord.script(posting.discord.path(), LIMIT)
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await save_settings(posting, webhookUrl=posting.discord.url("other"))
    await posting.record(batch, outcome)
    (sent,) = await posting.deliver()
    assert isinstance(sent, SendSuccess)


@pytest.mark.parametrize("limit", GLOBAL_LIMITS, ids=["body", "header"])
async def test_a_global_limit_of_an_edit_delays_messages(posting: ManualDelivery, limit: FixedResponse) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.script(f"{posting.discord.path()}/messages/{next(iter(posting.discord.messages))}", limit)
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    await posting.installation.accept_message(mails.plain(subject="Second"))
    await assert_paused(posting)


async def test_a_limit_of_messages_delays_edits(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.script(posting.discord.path(), LIMIT)
    await posting.installation.accept_message(mails.plain(subject="Second"))
    await posting.deliver()
    await set_status(posting, ticket_id, "waiting")
    await assert_paused(posting)

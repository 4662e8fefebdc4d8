"""What a channel shows of the checks: before their results, with them, and after an edit."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from router.checks.check_queue import CheckQueue
from router.checks.decision import SenderFacts
from router.store.database import run_statements
from router.store.spam_marks import SpamActor, mark_spam, release_spam
from tests.integration.checks.conftest import FAIL, PASS, results
from tests.support import mails
from tests.support.manual_delivery import ManualDelivery, open_posting
from tests.support.stores import Store


@pytest.fixture
async def posting(store: Store) -> AsyncIterator[ManualDelivery]:
    async with open_posting(store, settings={"checks.enabled": True}) as opened:
        yield opened


async def check(posting: ManualDelivery, facts: SenderFacts) -> None:
    installation = posting.installation
    queue = CheckQueue(installation.database, installation.core.writers, installation.clock)
    for claimed in await queue.claim(1):
        await queue.store(claimed.message, results(installation.clock.now(), facts))


def shown(posting: ManualDelivery) -> str:
    """Returns the newest text of the last message."""
    text = json.dumps(list(posting.discord.messages.values())[-1].body, ensure_ascii=False)
    return text.replace("\\\\", "")  # the escapes of Markdown


async def test_a_post_waits_for_the_results(posting: ManualDelivery) -> None:
    await posting.installation.accept_message(mails.plain())
    assert await posting.outbox.find_ready_integrations(1) == []
    await check(posting, PASS)
    assert await posting.outbox.find_ready_integrations(1) == [posting.integration_id]
    await posting.deliver()
    assert "DMARC pass (customer.test)" in shown(posting)
    assert "not ready" not in shown(posting)


async def test_a_late_result_edits_the_post(posting: ManualDelivery) -> None:
    installation = posting.installation
    await installation.accept_message(mails.plain())
    installation.clock.advance(1)
    await posting.deliver()
    assert "not ready" in shown(posting)
    assert (await posting.rows("deliveries"))[0]["awaiting"] is None
    await check(posting, FAIL)
    await posting.deliver()
    assert "not ready" not in shown(posting)
    assert "may be forged" in shown(posting)
    assert len(posting.discord.messages) == 1


async def test_a_flagged_message_begins_with_the_warning(posting: ManualDelivery) -> None:
    await posting.installation.accept_message(mails.plain())
    await check(posting, replace(FAIL, from_domain="customer.test"))
    await posting.deliver()
    assert "its sender address is at customer.test" in shown(posting)


async def test_spam_is_not_posted_before_its_release(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await installation.accept_ticket(mails.plain())
    await check(posting, replace(PASS, blocked="@customer.test"))
    installation.clock.advance(days=1)
    assert await posting.claim() is None
    assert posting.discord.messages == {}
    now = installation.clock.now()
    actor = {ticket_id: SpamActor("user", "user_1", "user_1")}
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, release_spam([ticket_id], actor, now, expires_at=now + 10**9))
    await posting.deliver()
    assert "Released from spam" in shown(posting)
    async with installation.database.transaction() as transaction:
        await run_statements(transaction, mark_spam({ticket_id: "Marked as spam by Ada"}, actor, now))
    await posting.deliver()
    assert "Marked as spam by Ada" in shown(posting)

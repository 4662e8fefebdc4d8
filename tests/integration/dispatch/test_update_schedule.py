"""When updates of posts are sent and retried, and that they delay no new messages."""

import pytest

from router.channels.contract import SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch import schedule
from router.dispatch.delivery_batch import DeliveryBatch
from router.enumerations import TICKET_PRIORITY
from tests.integration.dispatch.test_retention import DAY
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.discord import DiscordStandIn
from tests.support.manual_delivery import (
    FIRST,
    REPLY,
    ManualDelivery,
    only_state,
    open_posting,
    open_ticket,
    set_status,
    shown_state,
)
from tests.support.stores import Store


def message_path(posting: ManualDelivery) -> str:
    """Returns the path at which the first message is changed."""
    return f"{posting.discord.path()}/messages/{next(iter(posting.discord.messages))}"


# --- retries


async def fail_edits(posting: ManualDelivery, response: FixedResponse, count: int) -> str:
    """Lets `count` edits of a message fail, and then succeed; returns the id of the ticket."""
    ticket_id = await open_ticket(posting)
    posting.discord.script(message_path(posting), *[response] * count)
    await posting.installation.tickets.set_choice(posting.installation.actor, ticket_id, TICKET_PRIORITY, "urgent")
    for n in range(count):
        assert [type(outcome) for outcome in await posting.deliver()] == [SendRetry]
        if n < count - 1:
            await posting.advance_to_retry()
    return ticket_id


async def test_a_change_is_not_delayed_by_earlier_failures(posting: ManualDelivery) -> None:
    ticket_id = await fail_edits(posting, FixedResponse(500, ""), 7)
    await set_status(posting, ticket_id, "resolved")
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"


async def test_the_waits_start_again_after_a_change(posting: ManualDelivery) -> None:
    ticket_id = await fail_edits(posting, FixedResponse(500, ""), 7)
    posting.discord.script(message_path(posting), FixedResponse(500, ""))
    await set_status(posting, ticket_id, "resolved")
    await posting.deliver()
    (update,) = await posting.updates()
    assert isinstance(update["next_attempt_at"], int)
    assert update["next_attempt_at"] - posting.installation.clock.now() <= schedule.WAIT_SECONDS[2] * SECOND


@pytest.mark.parametrize(("status", "body", "seconds"), [(429, '{"retry_after": 1}', 1), (503, "", 5)])
@pytest.mark.parametrize("queued_hours", [0, 1, 5])
async def test_the_time_in_the_queue_does_not_count_as_failures(
    posting: ManualDelivery, status: int, body: str, seconds: int, queued_hours: int
) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.script(message_path(posting), FixedResponse(status, body))
    await set_status(posting, ticket_id, "waiting")
    posting.installation.clock.advance(queued_hours * 3600)
    await posting.deliver()
    (update,) = await posting.updates()
    assert isinstance(update["next_attempt_at"], int)
    assert update["next_attempt_at"] - posting.installation.clock.now() <= seconds * SECOND


@pytest.mark.parametrize("days", [1, 3, 7])
async def test_the_waits_do_not_depend_on_the_setting_when_the_post_was_sent(
    posting: ManualDelivery, days: int
) -> None:
    """The outbox has a `delivery.max_age` of 3 days."""
    ticket_id = await open_ticket(posting)
    await posting.installation.execute("UPDATE posts SET max_age = :max_age", max_age=days * DAY)
    posting.discord.default(message_path(posting), FixedResponse(500, ""))
    await set_status(posting, ticket_id, "waiting")
    # Earlier changes were attempted, too.
    await posting.installation.execute("UPDATE deliveries SET attempts = 100 WHERE event = 'updated'")
    waits = []
    for _ in range(6):
        await posting.deliver()
        (update,) = await posting.updates()
        assert isinstance(update["next_attempt_at"], int)
        waits.append((update["next_attempt_at"] - posting.installation.clock.now()) / SECOND)
        await posting.advance_to_retry()
    # The first outcome is recorded 20 s after the change, when the first wait is over.
    assert tuple(waits) == schedule.WAIT_SECONDS[1:7]


async def test_a_change_extends_the_expiry_of_an_update(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.default(message_path(posting), FixedResponse(500, ""))
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    posting.installation.clock.advance(3 * 86400 - 60)
    await set_status(posting, ticket_id, "resolved")
    posting.installation.clock.advance(100)
    await posting.deliver()
    posting.discord.default(message_path(posting), None)
    await posting.advance_to_retry()
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"


async def test_a_reply_retries_the_change_in_an_archived_thread(store: Store) -> None:
    async with open_posting(store, DiscordStandIn(is_forum=True)) as posting:
        await fail_edits(posting, FixedResponse(400, '{"code": 50083}'), 6)
        await posting.installation.accept_message(mails.reply_to(FIRST, message_id=REPLY))
        reply, edit = await posting.deliver()
        assert isinstance(reply, SendSuccess)
        assert isinstance(edit, SendSuccess)
        assert shown_state(next(iter(posting.discord.messages.values())))["Priority"] == "Urgent"


async def test_a_message_about_another_ticket_retries_nothing(posting: ManualDelivery) -> None:
    await fail_edits(posting, FixedResponse(500, ""), 6)
    await posting.installation.accept_message(mails.plain(subject="Another"))
    assert len(await posting.deliver()) == 1


# --- limits of the service


EDIT_LIMITS = [
    FixedResponse(429, '{"code": 30046, "retry_after": 1800.5}'),
    FixedResponse(429, '{"retry_after": 1800.5}'),
    FixedResponse(200, "", {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset-After": "1800.5"}),
]


@pytest.mark.parametrize("limit", EDIT_LIMITS, ids=["old messages", "rate", "used up"])
async def test_a_limit_of_edits_delays_only_edits(posting: ManualDelivery, limit: FixedResponse) -> None:
    ticket_id = await open_ticket(posting)
    posting.discord.script(message_path(posting), limit)
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    await posting.installation.accept_message(mails.plain(subject="Second"))
    (outcome,) = await posting.deliver()
    assert isinstance(outcome, SendSuccess)
    await set_status(posting, ticket_id, "resolved")
    second = next(str(row["id"]) for row in await posting.rows("tickets") if row["subject"] == "Second")
    await set_status(posting, second, "resolved")
    assert await posting.deliver() == []
    assert await posting.outbox.find_ready_integrations(10) == []
    posting.installation.clock.advance(1800)
    assert await posting.outbox.find_ready_integrations(10) == [posting.installation.integration_id]
    await posting.deliver()
    assert [shown_state(each)["Status"] for each in posting.discord.messages.values()] == ["Resolved"] * 2


async def test_a_limit_from_a_wrong_clock_is_ignored(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    far = posting.installation.clock.now() + 365 * DAY
    await posting.installation.execute("UPDATE integrations SET updates_after = :far", far=far)
    await set_status(posting, ticket_id, "waiting")
    assert await posting.outbox.find_ready_integrations(10) == [posting.installation.integration_id]
    await posting.deliver()
    assert only_state(posting)["Status"] == "Waiting"


async def test_an_update_that_changes_nothing_uses_no_pace(store: Store) -> None:
    async with open_posting(store, settings={"delivery.per_second": 0.1, "delivery.burst": 1}) as posting:
        ticket_id = await open_ticket(posting)
        await set_status(posting, ticket_id, "waiting", "open")
        assert await posting.deliver() == []
        await posting.installation.accept_message(mails.plain(subject="Second"))
        claimed = await posting.outbox.claim_and_record(posting.installation.integration_id, None)
        assert isinstance(claimed, DeliveryBatch)
        assert await posting.updates() == await posting.updates("delivered") == []
        assert len(await posting.rows("attempts")) == 2


async def test_the_lane_continues_after_an_update_that_changes_nothing(posting: ManualDelivery) -> None:
    tickets = []
    for n in range(3):
        tickets.append(await posting.installation.accept_ticket(mails.plain(subject=f"Ticket {n}")))
        await posting.deliver()
    await set_status(posting, tickets[0], "waiting", "open")
    await set_status(posting, tickets[1], "waiting", "open")
    await set_status(posting, tickets[2], "waiting")
    assert len(await posting.deliver()) == 1
    assert await posting.updates() == []

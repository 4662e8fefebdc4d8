"""Updates are sent under a steady load of messages, and delay messages only a little."""

from collections.abc import AsyncIterator

import pytest

from router.clock import SECOND
from router.dispatch import pacing
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch
from router.dispatch.outbox_transaction import SUPERFLUOUS_STEP
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.manual_delivery import ManualDelivery, open_posting, open_ticket, set_status, shown_state
from tests.support.stores import Store

WAIT_SECONDS = pacing.MAX_UPDATE_WAIT // SECOND
PER_SECOND = 0.4  # the pace of Discord


@pytest.fixture
async def paced(store: Store) -> AsyncIterator[ManualDelivery]:
    async with open_posting(store, settings={"delivery.digest_after": 1000}) as opened:
        yield opened


async def run(posting: ManualDelivery, seconds: int) -> str:
    """Sends at the pace, in steps of a second; returns the requests as letters: M for a message, U for an update."""
    first = len(posting.service.posts)
    for _ in range(seconds):
        posting.installation.clock.advance(1)
        claimed = await posting.outbox.claim_and_record(posting.installation.integration_id, None)
        while isinstance(claimed, DeliveryBatch):
            completed = CompletedBatch(claimed, await posting.send(claimed), 0.0)
            claimed = await posting.outbox.claim_and_record(posting.installation.integration_id, completed)
    return "".join("M" if post.method == "POST" else "U" for post in list(posting.service.posts)[first:])


async def accept(posting: ManualDelivery, n: int) -> list[str]:
    return [await posting.installation.accept_ticket(mails.plain(subject=f"Ticket {k}")) for k in range(n)]


async def change_posts(posting: ManualDelivery, n: int, *, messages: int = 0) -> None:
    """Opens tickets and delivers their messages; then accepts messages, and changes each of the tickets."""
    tickets = await accept(posting, n)
    await posting.deliver()
    await accept(posting, messages)
    for ticket_id in tickets:
        await set_status(posting, ticket_id, "waiting")


async def test_messages_precede_an_update_for_a_time(paced: ManualDelivery) -> None:
    await change_posts(paced, 1, messages=60)
    requests = await run(paced, WAIT_SECONDS - 2)
    assert set(requests) == {"M"}
    requests = await run(paced, 60)
    assert requests.startswith(("U", "MU"))
    assert requests.count("U") == 1


async def test_the_load_does_not_end(paced: ManualDelivery) -> None:
    """A ticket arrives in each interval of the pace, so that always a message is due."""
    await change_posts(paced, 1)
    await accept(paced, 5)
    requests = ""
    while "U" not in requests and len(requests) < 100:
        await accept(paced, 2)
        requests += await run(paced, 5)
    assert len(requests) <= WAIT_SECONDS * PER_SECOND + 8


async def test_many_updates_leave_most_requests_to_messages(paced: ManualDelivery) -> None:
    await change_posts(paced, 10)
    paced.installation.clock.advance(WAIT_SECONDS)
    await accept(paced, 60)
    requests = await run(paced, 60)
    assert len(requests) >= 60 * PER_SECOND
    assert requests.count("U") >= 5
    assert "U" in requests[: pacing.MESSAGES_PER_UPDATE + 1]
    _, *between, _ = requests.split("U")
    assert min(len(each) for each in between) == pacing.MESSAGES_PER_UPDATE


async def test_no_update_follows_another_one_at_a_slow_service(store: Store) -> None:
    """The pace is no limit if each request takes longer than its interval."""
    async with open_posting(store, settings={"delivery.digest_after": 1000}) as posting:
        await change_posts(posting, 4)
        posting.installation.clock.advance(WAIT_SECONDS)
        await accept(posting, 4)
        methods = []
        batch: object = await posting.claim_batch()
        while isinstance(batch, DeliveryBatch):
            methods.append("U" if batch.is_update else "M")
            posting.installation.clock.advance(30)
            completed = CompletedBatch(batch, await posting.send(batch), 0.0)
            batch = await posting.outbox.claim_and_record(posting.installation.integration_id, completed)
        assert "".join(methods) == "UMUMUMUM"


async def test_updates_are_not_delayed_without_messages(paced: ManualDelivery) -> None:
    await change_posts(paced, 20)
    paced.installation.clock.advance(2 * WAIT_SECONDS)
    assert await run(paced, 60) == "U" * 20


async def test_changes_do_not_restart_the_wait(paced: ManualDelivery) -> None:
    ticket_id = await open_ticket(paced)
    paced.installation.clock.advance(60)
    await accept(paced, 60)
    requests = ""
    for n in range(5):
        await set_status(paced, ticket_id, "waiting" if n % 2 else "in_progress")
        requests += await run(paced, WAIT_SECONDS // 3)
    assert requests.count("U") == 1
    assert requests.index("U") <= WAIT_SECONDS * PER_SECOND + 6


async def test_an_update_that_fails_also_gives_way(paced: ManualDelivery) -> None:
    ticket_id = await open_ticket(paced)
    path = f"{paced.discord.path()}/messages/{next(iter(paced.discord.messages))}"
    paced.discord.script(path, FixedResponse(429, '{"retry_after": 100.5}'))
    await set_status(paced, ticket_id, "waiting")
    paced.installation.clock.advance(WAIT_SECONDS)
    await accept(paced, 60)
    requests = await run(paced, 60)
    assert requests.count("U") == 1
    (integration,) = await paced.rows("integrations")
    assert int(str(integration["updates_after"])) > paced.installation.clock.now()
    assert (await run(paced, 150)).count("U") == 1
    assert shown_state(next(iter(paced.discord.messages.values())))["Status"] == "Waiting"


async def test_superfluous_updates_precede_no_message(paced: ManualDelivery) -> None:
    installation = paced.installation
    before_a_message = SUPERFLUOUS_STEP - 1
    tickets = await accept(paced, 2 * before_a_message + 5)
    await paced.deliver()
    for ticket_id in tickets:
        await set_status(paced, ticket_id, "waiting", "open")
    installation.clock.advance(WAIT_SECONDS)
    for remaining in (before_a_message + 5, 5):
        await accept(paced, 1)
        installation.clock.advance(10)
        batch = await paced.outbox.claim_and_record(installation.integration_id, None)
        assert isinstance(batch, DeliveryBatch)
        assert not batch.is_update
        assert len(await paced.updates()) == remaining
        await paced.record(batch, await paced.send(batch))
    assert await paced.deliver() == []
    assert await paced.updates() == []


async def test_an_update_after_superfluous_ones_keeps_its_turn(paced: ManualDelivery) -> None:
    first, second, third = await accept(paced, 3)
    await paced.deliver()
    for ticket_id in (first, second):
        await set_status(paced, ticket_id, "waiting", "open")
    await set_status(paced, third, "waiting")
    paced.installation.clock.advance(WAIT_SECONDS)
    await accept(paced, 1)
    batch = await paced.claim_batch()
    assert batch.precedes_messages
    assert [each.ticket_id for each in batch.deliveries] == [third]

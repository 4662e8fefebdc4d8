"""No change of a ticket is lost that commits while a message that shows its state is sent or recorded."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from router.admin import ticket_events
from router.admin.tickets import tags
from router.channels.contract import SendOutcome
from router.dispatch.delivery_batch import CompletedBatch
from router.enumerations import TICKET_PRIORITY
from router.errors import Refused, RowLocked
from router.store.database import QueryExecutor, StatementGenerator, T, run_statements
from router.store.postgres import PostgresDatabase
from tests.support import mails
from tests.support.behaviours import FixedResponse
from tests.support.manual_delivery import (
    OPEN,
    ManualDelivery,
    only_state,
    open_posting,
    open_ticket,
    set_status,
    shown_state,
)
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.stores import Store, postgres_store

Change = Callable[[ManualDelivery, str], Awaitable[object]]


async def test_a_change_before_the_first_message_is_recorded_is_shown_by_an_update(posting: ManualDelivery) -> None:
    ticket_id = await posting.installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await set_status(posting, ticket_id, "waiting")
    await posting.record(batch, outcome)
    assert only_state(posting) == OPEN
    assert len(await posting.updates()) == 1
    await posting.deliver()
    assert only_state(posting)["Status"] == "Waiting"


async def test_a_change_during_an_edit_is_shown_by_another_edit(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await set_status(posting, ticket_id, "in_progress", "resolved")
    await posting.record(batch, outcome)
    assert only_state(posting)["Status"] == "Waiting"
    (update,) = await posting.updates()
    assert (update["claims"], update["last_error"]) == (0, "")
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"
    assert posting.requests("PATCH") == 2


async def test_a_change_after_the_claim_is_shown_by_another_edit(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await set_status(posting, ticket_id, "resolved")
    await posting.record(batch, await posting.send(batch))
    await posting.deliver()
    assert only_state(posting)["Status"] == "Resolved"
    assert posting.requests("PATCH") == 2


async def _resolve(posting: ManualDelivery, ticket_id: str) -> None:
    await set_status(posting, ticket_id, "resolved")


async def _raise_priority(posting: ManualDelivery, ticket_id: str) -> None:
    await posting.installation.tickets.set_choice(posting.installation.actor, ticket_id, TICKET_PRIORITY, "urgent")


async def _assign(posting: ManualDelivery, ticket_id: str) -> None:
    await posting.installation.tickets.claim(await posting.installation.add_actor(), ticket_id)


async def _tag(posting: ManualDelivery, ticket_id: str) -> None:
    await posting.installation.tickets.tags.tag_ticket(posting.installation.actor, ticket_id, add=["VIP"])


async def _delete_tag(posting: ManualDelivery, _ticket_id: str) -> None:
    installation = posting.installation
    found = await installation.tickets.tags.find(installation.actor, "old")
    await installation.tickets.tags.delete(installation.actor, found.tag.id)


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("change", [_resolve, _raise_priority, _assign, _tag, _delete_tag])
async def test_a_change_during_which_the_outcome_cannot_be_recorded_is_shown(
    posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch, change: Change, *, is_first: bool
) -> None:
    installation = posting.installation
    ticket_id = await installation.accept_ticket()
    await installation.tickets.tags.tag_ticket(installation.actor, ticket_id, add=["old"])
    if not is_first:
        await posting.deliver()
        await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    before = only_state(posting)
    refused = []

    async def queue_and_record(transaction: QueryExecutor, statements: StatementGenerator[T]) -> T:
        result = await run_statements(transaction, statements)
        if isinstance(installation.database, PostgresDatabase):  # on SQLite, transactions never overlap
            with pytest.raises(RowLocked) as error:
                await posting.outbox.claim_and_record(
                    installation.integration_id, CompletedBatch(batch, outcome, 0.0), stop=True
                )
            refused.append(error)
        return result

    for module in (ticket_events, tags):
        monkeypatch.setattr(module, "run_statements", queue_and_record)
    await change(posting, ticket_id)
    assert refused or not isinstance(installation.database, PostgresDatabase)
    await posting.record(batch, outcome)
    await posting.deliver()
    (row,) = await installation.execute("SELECT rendered_hash FROM posts")
    assert row["rendered_hash"] != batch.state_hash
    assert only_state(posting) != before
    assert await posting.updates() == []


@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("change", [_resolve, _raise_priority, _assign, _tag])
async def test_no_concurrent_change_is_lost(posting: ManualDelivery, change: Change, *, is_first: bool) -> None:
    """Records an outcome and changes the ticket at the same time, many times."""
    for n in range(12):
        ticket_id = await posting.installation.accept_ticket(mails.plain(subject=f"Ticket {n}"))
        if not is_first:
            await posting.deliver()
            await set_status(posting, ticket_id, "waiting")
        batch = await posting.claim_batch()
        outcome = await posting.send(batch)
        before = shown_state(list(posting.discord.messages.values())[-1])
        await asyncio.gather(posting.record(batch, outcome), change(posting, ticket_id))
        await posting.deliver()
        assert shown_state(list(posting.discord.messages.values())[-1]) != before
    assert await posting.updates() == []


async def test_no_change_is_lost_while_a_superfluous_update_is_deleted(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    for _ in range(12):
        await set_status(posting, ticket_id, "waiting", "open")
        await asyncio.gather(posting.deliver(), set_status(posting, ticket_id, "resolved"))
        await posting.deliver()
        assert only_state(posting)["Status"] == "Resolved"
        await set_status(posting, ticket_id, "open")
        await posting.deliver()


# --- changes during a request that fails


async def _send_edit(posting: ManualDelivery, response: FixedResponse, ticket_id: str) -> SendOutcome:
    """Changes the ticket; returns the outcome of the edit, during which the ticket is resolved."""
    (message_id,) = posting.discord.messages
    posting.discord.script(f"{posting.discord.path()}/messages/{message_id}", response)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await set_status(posting, ticket_id, "resolved")
    await posting.record(batch, outcome)
    return outcome


@pytest.mark.parametrize(
    "response",
    [
        FixedResponse(400, '{"code": 240000}'),
        FixedResponse(400, '{"code": 50035}'),
        FixedResponse(401, '{"code": 50027}'),
        FixedResponse(500, ""),
    ],
    ids=lambda response: f"{response.status}{response.body}",
)
async def test_a_change_during_an_edit_that_fails_is_tried_at_once(
    posting: ManualDelivery, response: FixedResponse
) -> None:
    await _send_edit(posting, response, await open_ticket(posting))
    (update,) = await posting.updates()
    assert (update["next_attempt_at"], update["via"]) == (posting.installation.clock.now(), "")
    await posting.deliver()
    assert only_state(posting) == OPEN | {"Status": "Resolved"}


async def test_a_change_and_its_reversal_during_an_edit_extend_its_expiry(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    (message_id,) = posting.discord.messages
    posting.discord.script(f"{posting.discord.path()}/messages/{message_id}", FixedResponse(500, ""))
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    posting.installation.clock.advance(days=3)
    await set_status(posting, ticket_id, "resolved", "waiting")
    await posting.record(batch, outcome)
    assert len(await posting.updates()) == 1
    posting.installation.clock.advance(60)
    await posting.deliver()
    assert only_state(posting)["Status"] == "Waiting"


async def test_a_change_restarts_the_count_of_claims(store: Store) -> None:
    """A process is killed during each attempt of an update, until a change."""
    async with open_posting(store, settings={"delivery.max_claims": 3}) as posting:
        ticket_id = await open_ticket(posting)
        await set_status(posting, ticket_id, "waiting")
        for _ in range(3):
            await posting.claim_batch()
            posting.installation.clock.advance(3600)
        await set_status(posting, ticket_id, "resolved")
        posting.installation.clock.advance(3600)
        await posting.deliver()
        assert only_state(posting)["Status"] == "Resolved"


async def test_a_change_keeps_an_update_that_fails_at_the_same_time(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The claim finds an update that was claimed too often, and waits for the change, which restarts the count."""
    async with (
        postgres_store(postgres_server) as store,
        open_posting(store, settings={"delivery.max_claims": 3}) as posting,
    ):
        ticket_id = await open_ticket(posting)
        await set_status(posting, ticket_id, "waiting")
        for _ in range(3):
            await posting.claim_batch()
            posting.installation.clock.advance(3600)
        claims = []

        async def queue_and_claim(transaction: QueryExecutor, statements: StatementGenerator[T]) -> T:
            result = await run_statements(transaction, statements)
            claims.append(asyncio.create_task(posting.claim_batch()))
            await wait_until_blocked(posting.installation.execute)
            return result

        with monkeypatch.context() as patched:
            patched.setattr(ticket_events, "run_statements", queue_and_claim)
            await set_status(posting, ticket_id, "resolved")
        batch = await claims[0]
        await posting.record(batch, await posting.send(batch))
        assert await posting.updates("dead") == []
        assert only_state(posting)["Status"] == "Resolved"


async def test_a_change_during_a_claim_leaves_the_update_claimed(posting: ManualDelivery) -> None:
    """A replay cannot make an update due that is being sent."""
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await set_status(posting, ticket_id, "resolved")
    installation = posting.installation
    with pytest.raises(Refused):
        await installation.services.deliveries.replay(installation.actor, batch.deliveries[0].id)
    assert await installation.services.deliveries.replay_many(installation.actor, state="pending") == 0

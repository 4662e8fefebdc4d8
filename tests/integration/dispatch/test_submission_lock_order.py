"""On PostgreSQL, smarthosts are locked before the deliveries that wait for them, and claims wait for no ticket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from router.replies.smarthosts import remove_smarthost, save_smarthost
from router.store.database import run_statements
from tests.integration.dispatch.test_locks import other_transaction
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.replies import ManualSubmissions, open_submissions, queue_reply
from tests.support.stores import postgres_store

LOCK_SMARTHOSTS = "SELECT 1 FROM smarthosts FOR UPDATE"
LOCK_DELIVERIES = "SELECT 1 FROM deliveries FOR UPDATE NOWAIT"


@pytest.fixture
async def submissions(postgres_server: PostgresServer) -> AsyncIterator[ManualSubmissions]:
    async with postgres_store(postgres_server) as store, open_submissions(store) as opened:
        yield opened


@pytest.mark.parametrize("work", ["probe", "replay", "remove"])
async def test_smarthosts_are_locked_before_deliveries(submissions: ManualSubmissions, work: str) -> None:
    installation, database = submissions.installation, submissions.installation.database
    async with database.transaction() as transaction:
        await run_statements(transaction, save_smarthost("dom_1", "smtp://smarthost.test:587", 1, is_changed=False))
    reply = await queue_reply(installation, await installation.accept_ticket(), smarthost_id="dom_1")
    delivery_id = str((await submissions.recipient(reply.id))["delivery_id"])
    if work == "probe":
        await queue_reply(installation, await installation.accept_ticket(), smarthost_id="dom_1")
        await installation.execute(
            "UPDATE deliveries SET parked_at = 1, next_attempt_at = NULL WHERE id = :id", id=delivery_id
        )
    await installation.execute("UPDATE smarthosts SET status = 'failing', probe_at = 1")

    async def remove() -> None:
        async with database.transaction() as transaction:
            await run_statements(transaction, remove_smarthost("dom_1", 1))

    works: dict[str, Callable[[], Awaitable[object]]] = {
        "probe": submissions.claim,
        "replay": lambda: installation.services.deliveries.replay(installation.actor, delivery_id),
        "remove": remove,
    }
    async with other_transaction(installation.store, LOCK_SMARTHOSTS) as other:
        task = asyncio.ensure_future(works[work]())
        await wait_until_blocked(other.fetchval)
        await other.execute(LOCK_DELIVERIES)
    await task


async def test_a_locked_ticket_holds_only_its_own_mail(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    tickets = [await installation.accept_ticket() for _ in range(3)]
    for ticket_id in tickets:
        await queue_reply(installation, ticket_id)
    lock = "SELECT 1 FROM tickets WHERE id = $1 FOR UPDATE"
    async with other_transaction(installation.store, lock, tickets[1]):
        assert {each.ticket_id for each in await submissions.claim()} == {tickets[0], tickets[2]}
    assert [each.ticket_id for each in await submissions.claim()] == [tickets[1]]

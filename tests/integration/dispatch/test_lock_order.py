"""On PostgreSQL, the outbox and the erasure lock rows in one order, which avoids deadlocks."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import asyncpg
import pytest

from router.dispatch import outbox
from router.dispatch.delivery_batch import DeliveryBatch
from router.dispatch.outbox_transaction import ClaimRequest
from router.store.database import Row, Statement, StatementGenerator
from tests.integration.dispatch.test_locks import other_transaction
from tests.support.installation import Installation
from tests.support.outbox_workers import Workers
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.stores import postgres_store

LOCK_DELIVERY = "SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE NOWAIT"
LOCK_ATTEMPTS = "SELECT 1 FROM attempts WHERE delivery_id = $1 FOR UPDATE NOWAIT"


@pytest.fixture
async def workers(postgres_server: PostgresServer) -> AsyncIterator[Workers]:
    async with postgres_store(postgres_server) as store:
        found = Workers(Installation(store))
        await found.seed()
        yield found
        await found.installation.close()


async def _claim_in_descending_order(workers: Workers) -> list[DeliveryBatch]:
    batches = await workers.claim_all()
    return sorted(batches, key=lambda batch: batch.deliveries[0].id, reverse=True)


async def test_outcomes_lock_deliveries_in_the_order_of_their_ids(workers: Workers) -> None:
    batches = await _claim_in_descending_order(workers)
    last, *_, first = (batch.deliveries[0].id for batch in batches)
    async with other_transaction(workers.installation.store, LOCK_DELIVERY, first) as other:
        recording = asyncio.create_task(workers.record_all(batches))
        await wait_until_blocked(other.fetchval)
        await other.execute(LOCK_DELIVERY, last)
    assert await recording == [None] * len(batches)


async def test_outcomes_lock_deliveries_before_attempts(workers: Workers) -> None:
    """The erasure locks in the same order."""
    batches = await workers.claim_all()
    delivery_id = batches[0].deliveries[0].id
    async with other_transaction(workers.installation.store, LOCK_DELIVERY, delivery_id) as other:
        recording = asyncio.create_task(workers.record_all(batches[:1]))
        await wait_until_blocked(other.fetchval)
        await other.execute(LOCK_ATTEMPTS, delivery_id)
    assert await recording == [None]


async def test_the_erasure_locks_deliveries_before_attempts(workers: Workers) -> None:
    installation = workers.installation
    delivery = (await workers.claim_all())[0].deliveries[0]
    async with other_transaction(installation.store, LOCK_ATTEMPTS, delivery.id) as other:
        erasing = asyncio.create_task(installation.services.tickets.delete(installation.actor, delivery.ticket_id))
        await wait_until_blocked(other.fetchval)
        with pytest.raises(asyncpg.LockNotAvailableError):
            async with other.transaction():
                await other.execute(LOCK_DELIVERY, delivery.id)
    await erasing
    assert await installation.execute("SELECT 1 FROM attempts WHERE delivery_id = :id", id=delivery.id) == []


async def test_claims_lock_deliveries_in_the_order_of_their_ids(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan of the statement keeps the order of its arrays only in large tables, so the test reads the arrays."""
    begun: list[list[object]] = []
    write = vars(outbox)["claim_and_record"]

    def watch(requests: Sequence[ClaimRequest], *args: object) -> StatementGenerator[object]:
        statements: StatementGenerator[object] = write(requests, *args)
        rows: Sequence[Row] = ()
        try:
            statement: Statement = next(statements)
            while True:
                if statement.query == "dispatch_begin_attempt":
                    begun.append([row["id"] for row in statement.rows])
                rows = yield statement
                statement = statements.send(rows)
        except StopIteration as end:
            return end.value

    monkeypatch.setattr(outbox, "claim_and_record", watch)
    await workers.together(*(workers.claim(each) for each in reversed(workers.integration_ids)))
    assert [len(ids) for ids in begun] == [len(workers.integration_ids)]
    assert begun[0] == sorted(begun[0], key=str)

"""On PostgreSQL, a row that another transaction has locked delays only the work that needs this row."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from router.dispatch.delivery_batch import StateShown
from router.errors import RowLocked, StatementCancelled, Unavailable
from router.store import postgres_connection
from router.store.postgres import PostgresDatabase
from tests.support import mails
from tests.support.installation import Installation
from tests.support.outbox_workers import WORKERS, Workers
from tests.support.outboxes import LIMITS
from tests.support.postgres import PostgresServer
from tests.support.stores import Store, postgres_store


@pytest.fixture
async def store(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Store]:
    monkeypatch.setitem(postgres_connection._GROUP_SETTINGS, "lock_timeout", "100")
    async with postgres_store(postgres_server) as found:
        yield found


@pytest.fixture
async def workers(store: Store) -> AsyncIterator[Workers]:
    found = Workers(Installation(store))
    await found.seed()
    yield found
    await found.installation.close()


@asynccontextmanager
async def other_transaction(store: Store, statement: str, *values: object) -> AsyncIterator[asyncpg.Connection]:
    """Another transaction that has executed `statement`; it is committed at the end."""
    connection = await asyncpg.connect(store.url)
    try:
        async with connection.transaction():
            await connection.execute(statement, *values)
            yield connection
    finally:
        await connection.close()


async def test_the_outcomes_of_other_integrations_are_recorded(store: Store, workers: Workers) -> None:
    batches = await workers.claim_all()
    lock = "SELECT 1 FROM integrations WHERE id = $1 FOR NO KEY UPDATE"
    async with other_transaction(store, lock, workers.integration_ids[0]):
        locked, *others = await workers.record_all(batches)
        assert isinstance(locked, RowLocked)
        assert others == [None] * (WORKERS - 1)
        assert sorted(map(str, await workers.outcomes())) == ["open", *["sent"] * (WORKERS - 1)]
    assert await workers.record_all(batches[:1]) == [None]
    assert await workers.outcomes() == ["sent"] * WORKERS


async def test_a_locked_ticket_delays_only_the_outcome_that_shows_its_state(store: Store, workers: Workers) -> None:
    """The group never waits for the ticket, so its connection is free for the requests that follow."""
    batches = await workers.claim_all()
    shown = StateShown(200, ref="1")
    ticket_id = batches[0].deliveries[0].ticket_id
    lock = "SELECT 1 FROM tickets WHERE id = $1 FOR NO KEY UPDATE"
    async with other_transaction(store, lock, ticket_id):
        for _ in range(3):
            assert isinstance((await workers.record_all(batches[:1], shown))[0], RowLocked)
        locked, *others = await workers.record_all(batches, shown)
        assert isinstance(locked, RowLocked)
        assert others == [None] * (WORKERS - 1)
    assert await workers.record_all(batches[:1], shown) == [None]
    assert await workers.outcomes() == ["sent"] * WORKERS
    posts = await workers.installation.execute("SELECT ticket_id FROM posts")
    assert {row["ticket_id"] for row in posts} == {each.deliveries[0].ticket_id for each in batches}


async def test_a_locked_integration_is_not_claimed(store: Store, workers: Workers) -> None:
    lock = "SELECT 1 FROM integrations WHERE id = $1 FOR NO KEY UPDATE"
    async with other_transaction(store, lock, workers.integration_ids[0]):
        claims = await asyncio.gather(
            *(workers.outbox.claim_and_record(each, None) for each in workers.integration_ids)
        )
        assert [claim is None for claim in claims] == [True, *[False] * (WORKERS - 1)]
    assert await workers.outbox.find_ready_integrations(WORKERS) == workers.integration_ids[:1]


async def test_a_claim_does_not_lock_the_leased_integrations_of_another_process(store: Store, workers: Workers) -> None:
    """A new message wakes all processes. Their claims must not delay the outcomes of the process with the lease."""
    batches = await workers.claim_all()
    now = workers.installation.clock.now()
    values = {"owner": "another process", "now": now, "latest_plausible": now + LIMITS.lease, "has_outcome": 0}
    query = store.catalog["dispatch_lock_integrations"]
    (parameters,) = query.bind_many([{"id": each, **values} for each in workers.integration_ids])
    async with other_transaction(store, query.postgres, *parameters):
        assert await workers.record_all(batches) == [None] * WORKERS


async def test_a_deletion_does_not_deadlock_with_an_outcome(store: Store, workers: Workers) -> None:
    batches = await workers.claim_all()
    deleted = workers.integration_ids[0]
    async with other_transaction(store, "SELECT 1 FROM integrations WHERE id = $1 FOR UPDATE", deleted) as other:
        assert isinstance((await workers.record_all(batches))[0], Unavailable)
        await other.execute(
            "UPDATE deliveries SET state = 'dead' WHERE integration_id = $1", workers.integration_ids[0]
        )
        await other.execute("DELETE FROM aliases WHERE integration_id = $1", deleted)
        await other.execute("DELETE FROM integrations WHERE id = $1", deleted)
    assert await workers.record_all(batches[:1]) == [None]
    assert await workers.outcomes() == ["sent"] * WORKERS
    assert sorted(map(str, await workers.states())) == ["dead", *["delivered"] * (WORKERS - 1)]


async def test_a_locked_delivery_fails_alone(store: Store, workers: Workers) -> None:
    batches = await workers.claim_all()
    lock = "SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE"
    async with other_transaction(store, lock, batches[2].deliveries[0].id):
        results = await workers.record_all(batches)
    assert [isinstance(result, StatementCancelled) for result in results] == [n == 2 for n in range(WORKERS)]
    assert await workers.record_all(batches[2:3]) == [None]
    assert await workers.outcomes() == ["sent"] * WORKERS


async def test_a_locked_ticket_delays_no_parsing_of_other_messages(store: Store, workers: Workers) -> None:
    installation = workers.installation
    message_ids = [await installation.accept_message(None, "alias0") for _ in range(4)]
    lock = "SELECT 1 FROM tickets WHERE id = (SELECT ticket_id FROM ticket_messages WHERE message_id = $1) FOR UPDATE"
    async with other_transaction(store, lock, message_ids[0]):
        results = await asyncio.gather(
            *(installation.contents.get(each) for each in message_ids), return_exceptions=True
        )
    assert [isinstance(result, StatementCancelled) for result in results] == [True, False, False, False]
    assert (await installation.contents.get(message_ids[0])).text


async def test_a_locked_ticket_rejects_only_its_replies(store: Store, workers: Workers) -> None:
    installation = workers.installation
    await installation.accept_message(mails.plain(message_id="<first@customer.test>"), "alias0")
    lock = "SELECT 1 FROM tickets WHERE id = (SELECT max(id) FROM tickets) FOR UPDATE"
    async with other_transaction(store, lock):
        reply, other = await asyncio.gather(
            installation.accept_message(mails.reply_to("<first@customer.test>"), "alias0"),
            installation.accept_message(mails.plain(message_id="<other@customer.test>"), "alias0"),
            return_exceptions=True,
        )
    assert isinstance(reply, StatementCancelled)
    assert isinstance(other, str)


async def test_items_without_time_left_fail_with_their_group(
    store: Store, workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A group whose items all wait for locks does not block the items that are queued behind it."""
    assert isinstance(store.database, PostgresDatabase)
    batches = await workers.claim_all()
    monkeypatch.setattr(store.database, "statement_timeout", -1.0)
    lock = "SELECT 1 FROM deliveries WHERE id = $1 FOR UPDATE"
    async with other_transaction(store, lock, batches[0].deliveries[0].id):
        assert all(isinstance(each, Unavailable) for each in await workers.record_all(batches))
    assert await workers.record_all(batches) == [None] * WORKERS

"""Integration workers that claim and record together share a commit, and do not affect each other."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import asyncpg
import pytest

from router.dispatch import outbox
from router.dispatch.outbox_transaction import ClaimRequest
from router.errors import StorageFull
from router.store.database import StatementGenerator
from tests.support.installation import Installation
from tests.support.outbox_workers import WORKERS, Workers
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.stores import Store, postgres_store

Watch = Callable[[Sequence[ClaimRequest]], None]


@pytest.fixture
async def workers(store: Store) -> AsyncIterator[Workers]:
    found = Workers(Installation(store))
    await found.seed()
    yield found
    await found.installation.close()


@pytest.fixture
def watch_groups(monkeypatch: pytest.MonkeyPatch) -> Callable[[Watch], None]:
    """Returns a function that makes each transaction of an outbox first call a function with its group."""

    def start(watch: Watch) -> None:
        write = vars(outbox)["claim_and_record"]

        def watched(requests: Sequence[ClaimRequest], *args: object) -> StatementGenerator[object]:
            watch(requests)
            return (yield from write(requests, *args))

        monkeypatch.setattr(outbox, "claim_and_record", watched)

    return start


async def test_workers_that_finish_together_share_a_commit(
    workers: Workers, watch_groups: Callable[[Watch], None]
) -> None:
    batches = await workers.claim_all()
    sizes: list[int] = []
    watch_groups(lambda requests: sizes.append(len(requests)))
    assert await workers.record_all(batches) == [None] * WORKERS
    assert sum(sizes) == WORKERS
    assert len(sizes) <= 2  # the thread of SQLite may have taken the first item already
    assert await workers.outcomes() == ["sent"] * WORKERS
    assert await workers.states() == ["delivered"] * WORKERS


@pytest.mark.parametrize("error", [ZeroDivisionError("a bug"), StorageFull("not enough space")])
async def test_one_bad_request_does_not_fail_the_others(
    workers: Workers, watch_groups: Callable[[Watch], None], error: Exception
) -> None:
    """The other outcomes are recorded exactly once, although their group is rolled back first."""
    batches = await workers.claim_all()
    bad = workers.integration_ids[3]

    def fail(requests: Sequence[ClaimRequest]) -> None:
        if any(request.integration_id == bad for request in requests):
            raise error

    watch_groups(fail)
    results = await workers.record_all(batches)
    assert results == [None, None, None, error, None, None]
    assert sorted(map(str, await workers.outcomes())) == ["open", *["sent"] * (WORKERS - 1)]
    assert sorted(map(str, await workers.states())) == [*["delivered"] * (WORKERS - 1), "pending"]
    rows = await workers.installation.execute("SELECT attempts FROM deliveries")
    assert [row["attempts"] for row in rows] == [1] * WORKERS


async def test_a_bad_request_does_not_fail_a_message_in_the_same_transaction(
    workers: Workers, watch_groups: Callable[[Watch], None]
) -> None:
    def fail(_: Sequence[ClaimRequest]) -> None:
        raise ZeroDivisionError

    watch_groups(fail)
    results = await workers.together(
        workers.outbox.claim_and_record(workers.integration_ids[0], None),
        workers.installation.accept_message(None, "alias0"),
    )
    assert isinstance(results[0], ZeroDivisionError)
    assert isinstance(results[1], str)


async def test_a_cancelled_worker_does_not_stop_the_commit(workers: Workers) -> None:
    batches = await workers.claim_all()
    task = asyncio.create_task(workers.record_all(batches))
    await asyncio.sleep(0)
    await asyncio.sleep(0)  # the workers have queued their outcomes
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await workers.installation.close()  # returns when all queued outcomes are committed
    assert await workers.outcomes() == ["sent"] * WORKERS


async def test_a_deadlock_records_each_outcome_once(postgres_server: PostgresServer) -> None:
    """Another transaction locks two deliveries of a group in the opposite order."""
    async with postgres_store(postgres_server) as store:
        workers = Workers(Installation(store))
        await workers.seed(2)
        batches = await workers.claim_all()
        first, second = (batch.deliveries[0].id for batch in batches)
        other = await asyncpg.connect(store.url)
        touch = "UPDATE deliveries SET last_error = last_error WHERE id = $1"
        await other.execute("SET deadlock_timeout = '1min'")
        await other.execute("BEGIN")
        await other.execute(touch, second)
        recording = asyncio.create_task(workers.record_all(batches))
        await wait_until_blocked(other.fetchval)
        await other.execute(touch, first)  # the group has locked the first delivery and waits for the second
        await other.execute("COMMIT")
        await other.close()
        assert await recording == [None, None]
        assert await workers.outcomes() == ["sent", "sent"]
        assert await workers.states() == ["delivered", "delivered"]
        await workers.installation.close()

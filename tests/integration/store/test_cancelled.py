"""A cancelled call returns at once, and its connection can be used again."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from router.store import catalog
from router.store.catalog import Catalog
from router.store.cleanup import CleanupTasks
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import Store, sqlite_store

TIMES = 20  # number of cancelled callers, larger than the number of connections


@pytest.mark.parametrize("steps", range(0, 40, 3))
async def test_a_cancelled_transaction_gives_its_connection_back(store: Store, steps: int) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    await seeds.insert_workspace(store.database)

    async def work() -> None:
        async with store.database.transaction() as transaction:
            for _ in range(4):
                await transaction.execute("routing_increment_version")

    for _ in range(TIMES):
        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    # The COMMIT of a cancelled task may still be running. On SQLite, this transaction starts after it.
    async with store.database.transaction() as transaction:
        before = await transaction.fetch_one("routing_version")
        await transaction.execute("routing_increment_version")
    after = await store.database.fetch_one("routing_version")
    assert before is not None
    assert after is not None
    assert after["version"] == before["version"] + 1
    assert (before["version"] - 1) % 4 == 0, "a transaction is committed completely or not at all"
    assert not faults


async def test_a_failed_transaction_is_rolled_back_before_the_error_is_raised(store: Store) -> None:
    await seeds.insert_workspace(store.database)
    before = await store.database.fetch_one("routing_version")

    async def fail() -> None:
        async with store.database.transaction() as transaction:
            await transaction.execute("routing_increment_version")
            raise ZeroDivisionError

    for _ in range(TIMES):
        with pytest.raises(ZeroDivisionError):
            await fail()
    assert await store.database.fetch_one("routing_version") == before


async def test_a_cancelled_writer_does_not_wait_for_the_lock_of_another_process(tmp_path: Path) -> None:
    """The BEGIN of a cancelled writer continues in the connection's thread until it gets the lock or times out."""
    path = tmp_path / "emailrouter.db"
    async with sqlite_store(tmp_path) as store:
        await seeds.insert_workspace(store.database)
    database = SqliteDatabase(path, catalog.load_catalog(), readers=1, busy_timeout=3600)
    await database.open()
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            writers = [asyncio.create_task(database.execute("routing_increment_version")) for _ in range(3)]
            await asyncio.sleep(0)
            for writer in writers:
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await writer
            assert all(writer.done() for writer in writers)
            assert other.in_transaction, "the lock is not released yet"
            other.execute("ROLLBACK")
        await database.execute("routing_increment_version")
        row = await database.fetch_one("routing_version")
        assert row is not None
        assert row["version"] in (2, 3), "the first transaction may have begun before it was cancelled"
    finally:
        await database.close()


async def test_a_cancelled_reader_is_interrupted(tmp_path: Path) -> None:
    """An endless query would otherwise block its reader connection."""
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT COUNT(*) AS c FROM n WHERE i < 0"
    queries = {query: catalog.load_catalog()[query] for query in catalog.load_catalog().names()}
    queries["endless"] = catalog.build_query("endless", endless, endless)
    async with sqlite_store(tmp_path):
        database = SqliteDatabase(tmp_path / "emailrouter.db", Catalog(queries), readers=1, busy_timeout=1)
        await database.open()
        try:
            for _ in range(3):
                with pytest.raises(TimeoutError):
                    async with asyncio.timeout(0.05):
                        await database.fetch_one("endless")
            assert await database.fetch_one("routing_version") is not None
        finally:
            await database.close()


async def test_cleanups_of_one_connection_run_in_order_and_time_out() -> None:
    cleanups, done = CleanupTasks(), []
    release = asyncio.Event()

    async def first() -> None:
        done.append("first")
        await release.wait()

    async def second() -> None:
        done.append("second")

    async def other() -> None:
        done.append("other")

    async def caller() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await cleanups.run("a", first(), seconds=0.05)
            await cleanups.run("a", second())
            await cleanups.run("b", other())

    task = asyncio.create_task(caller())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "second" not in done, "the caller returned before the cleanup"
    await cleanups.wait(10)
    assert done.index("first") < done.index("second")
    assert "other" in done
    assert not release.is_set()
    await cleanups.run("a", second())
    assert done.count("second") == 2, "a caller that is not cancelled waits"

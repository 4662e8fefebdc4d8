"""The SQLite writer after a cancellation, and the threads after a failed open."""

import asyncio
import threading
from pathlib import Path

import pytest

from router.errors import Unavailable
from router.store import catalog
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import sqlite_store


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_transaction_leaves_the_writer_free(tmp_path: Path, steps: int) -> None:
    """The task is cancelled after `steps` iterations of the event loop."""
    async with sqlite_store(tmp_path) as store:
        await seeds.insert_workspace(store.database)

        async def work() -> None:
            async with store.database.transaction() as transaction:
                await transaction.execute("routing_increment_version")
                await transaction.execute("routing_increment_version")

        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with store.database.transaction() as transaction:  # begins after the COMMIT of the cancelled task
            before = await transaction.fetch_one("routing_version")
            await transaction.execute("routing_increment_version")
        assert before is not None
        after = await store.database.fetch_one("routing_version")
        assert after is not None
        assert after["version"] == before["version"] + 1
        assert before["version"] in (1, 3), "a transaction is committed completely or not at all"


def test_a_file_that_cannot_be_opened_leaves_no_thread_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command must print one line, without the traceback of a thread whose event loop is closed."""
    failures: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", failures.append)
    database = SqliteDatabase(tmp_path / "missing" / "er.db", catalog.load_catalog(), readers=1, busy_timeout=1)
    for _ in range(50):  # repeated, because the thread races with the end of the event loop
        with pytest.raises(Unavailable, match="unable to open database file"):
            asyncio.run(database.open())
    for thread in set(threading.enumerate()) - {threading.current_thread()}:
        assert "_connection_worker_thread" not in thread.name
    assert failures == []

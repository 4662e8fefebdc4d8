"""The one writer of SQLite survives whoever is cancelled in the middle, at every line."""

import asyncio
from pathlib import Path

import pytest

from tests.support import seeds
from tests.support.stores import opened_sqlite


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_transaction_leaves_the_writer_free(tmp_path: Path, steps: int) -> None:
    """Cancelled after any number of steps of the loop: at BEGIN, in the body, at COMMIT."""
    async with opened_sqlite(tmp_path) as store:
        await seeds.workspace(store.database)

        async def work() -> None:
            async with store.database.transaction() as session:
                await session.run("routing_changed")
                await session.run("routing_changed")

        task = asyncio.create_task(work())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        async with store.database.transaction() as session:  # after a COMMIT that goes on without its caller
            before = await session.one("routing_version")
            await session.run("routing_changed")
        assert before is not None
        after = await store.database.one("routing_version")
        assert after is not None
        assert after["version"] == before["version"] + 1
        assert before["version"] in (1, 3), "all of it or nothing"

"""Measures the work of a query without a clock.

The unit is the rows that PostgreSQL reads from tables, including those that it discards, or the steps of SQLite's
virtual machine.
"""

import json
from collections.abc import Iterator
from typing import Any

from router.store.postgres import PostgresExecutor
from router.store.sqlite import SqliteDatabase
from tests.support.stores import Store


async def measure_work(store: Store, name: str, values: dict[str, object]) -> int:
    """Executes a query on a connection of the pool, also one that changes rows, and returns its work."""
    query, database = store.catalog.select(name, values), store.database
    if isinstance(database, SqliteDatabase):
        return await count_steps(database, query.sqlite, values)
    async with database.transaction() as transaction:
        assert isinstance(transaction, PostgresExecutor)
        arguments = [values[one] for one in query.parameters]
        rows = await transaction.connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {query.postgres}", *arguments)
    return sum(rows_read(json.loads(rows[0][0])[0]["Plan"]))


async def count_steps(database: SqliteDatabase, statement: str, values: dict[str, object]) -> int:
    calls = 0

    def count() -> int:
        nonlocal calls
        calls += 1
        return 0

    async with database.raw_transaction(write=False) as connection:
        await connection.set_progress_handler(count, 10)
        await connection.execute_fetchall(statement, values)
        await connection.set_progress_handler(None, 0)  # type: ignore[arg-type]  # None removes the handler
    return calls * 10


def rows_read(node: dict[str, Any]) -> Iterator[int]:
    """Yields the rows that each node of a plan reads from a table, including those that it discards."""
    if "Relation Name" in node:
        discarded = node.get("Rows Removed by Filter", 0) + node.get("Rows Removed by Index Recheck", 0)
        yield (node["Actual Rows"] + discarded) * node["Actual Loops"]
    for child in node.get("Plans", ()):
        yield from rows_read(child)

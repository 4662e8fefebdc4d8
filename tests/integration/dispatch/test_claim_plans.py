"""On PostgreSQL, a claim finds its deliveries by their keys, however many deliveries are pending."""

import json
from typing import Any

import pytest

from router.store.postgres import PostgresDatabase
from tests.support.postgres import PostgresServer
from tests.support.stores import postgres_store

PENDING = 5000
QUERIES = {
    "dispatch_due_deliveries": "ARRAY['int_0'], ARRAY[9999], ARRAY[20], ARRAY[40], ARRAY[9999]",
    "dispatch_begin_attempt": "ARRAY['dlv_1', 'dlv_2'], ARRAY[1, 2]",
    "dispatch_probe_delivery": "'int_0'",
    "dispatch_park": "1, 'int_0', 10",
    "dispatch_unpark": "1, 'int_0', 10",
}


@pytest.mark.parametrize("analyzed", ["before the backlog", "during the backlog"])
@pytest.mark.parametrize("event", ["opened", "updated"])
@pytest.mark.parametrize("name", QUERIES)
async def test_a_claim_reads_a_part_of_the_backlog(
    postgres_server: PostgresServer, name: str, event: str, analyzed: str
) -> None:
    """A connection keeps the plans that it made when few deliveries were pending, a new one plans with many."""
    async with postgres_store(postgres_server) as store:
        assert isinstance(store.database, PostgresDatabase)
        connection = await store.database.connect(for_groups=True)
        try:
            await connection.execute("SET session_replication_role = replica")  # without the rows of foreign keys
            await connection.execute(
                "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, created_at, "
                "expires_at, next_attempt_at, parked_at, state) SELECT 'dlv_' || n, 'ws', 'ticket_' || n, 'msg', "
                f"'int_' || n % 2, '{event}', 1, 9, CASE WHEN n % 4 < 2 THEN n END, CASE WHEN n % 4 >= 2 THEN n END, "
                f"CASE WHEN n < 4 THEN 'pending' ELSE 'delivered' END FROM generate_series(1, {PENDING}) AS n"
            )
            if analyzed == "before the backlog":
                await connection.execute("ANALYZE deliveries")
            await connection.execute(f"PREPARE claim AS {store.catalog[name].postgres}")
            if analyzed == "before the backlog":
                await connection.fetch(f"EXPLAIN EXECUTE claim({QUERIES[name]})")
            await connection.execute("UPDATE deliveries SET state = 'pending'")
            if analyzed == "during the backlog":
                await connection.execute("ANALYZE deliveries")
            rows = await connection.fetch(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) EXECUTE claim({QUERIES[name]})")
        finally:
            await connection.close()
        assert max_rows(json.loads(rows[0][0])[0]["Plan"]) <= 100


def max_rows(node: Any) -> int:
    """Returns the largest number of rows that a node of the plan has read, including those that a filter removed."""
    read = (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
    return max(int(read), *(max_rows(each) for each in node.get("Plans", [])), 0)

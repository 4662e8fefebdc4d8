"""On PostgreSQL, rows are found by their keys also before the first ANALYZE, such as after a restore."""

import json

import pytest

from router.store.postgres import PostgresDatabase
from tests.integration.dispatch.test_claim_plans import max_rows
from tests.support.postgres import PostgresServer
from tests.support.stores import postgres_store

ROWS = 5000
INSERTS = (
    "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
    f"updated_at) SELECT 'ticket_' || n, 'ws', n, '', '', '', '', 1, 1 FROM generate_series(1, {ROWS}) n",
    f"INSERT INTO posts SELECT 'ticket_' || n, 'int', 'dlv', '', '', 1 FROM generate_series(1, {ROWS}) n",
)


@pytest.mark.parametrize("name", ["ticket_next_sequence", "post_to_update"])
async def test_a_ticket_is_found_by_its_key(postgres_server: PostgresServer, name: str) -> None:
    async with postgres_store(postgres_server) as store:
        assert isinstance(store.database, PostgresDatabase)
        connection = await store.database.connect(for_groups=True)
        try:
            await connection.execute("SET session_replication_role = replica")  # without the rows of foreign keys
            for insert in INSERTS:
                await connection.execute(insert)
            await connection.execute(f"PREPARE found AS {store.catalog[name].postgres}")
            rows = await connection.fetch("EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE found('[\"ticket_5\"]')")
        finally:
            await connection.close()
        assert max_rows(json.loads(rows[0][0])[0]["Plan"]) <= 100

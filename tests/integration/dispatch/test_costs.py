"""The cost of a claim in SQLite, in virtual machine steps, does not grow with the number of earlier deliveries."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import seeds
from tests.support.stores import Store, sqlite_store

HISTORY = 500


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with sqlite_store(tmp_path) as found:
        yield found


async def _insert_integration_and_ticket(store: Store) -> str:
    workspace = await seeds.insert_workspace(store.database)
    integration = await seeds.insert_integration(store.database, workspace)
    await seeds.execute(
        store.database,
        "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
        "updated_at) VALUES ('ticket_t', :workspace, 1, '', '', '', '', 1, 1)",
        workspace=workspace,
    )
    return integration


async def _insert_deliveries(store: Store, integration: str, first: int, count: int, *, state: str, due: str) -> None:
    await seeds.execute(
        store.database,
        "WITH RECURSIVE series (n) AS (SELECT :first UNION ALL SELECT n + 1 FROM series WHERE n < :last) "
        "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, state, "
        "next_attempt_at, parked_at, expires_at, created_at) "
        f"SELECT 'dlv_' || printf('%08d', n), 'ws', 'ticket_t', 'msg', :integration, 'opened', '{state}', {due}, "
        f"CASE WHEN {due} IS NULL AND '{state}' = 'pending' THEN 1 END, 9, 1 FROM series",
        first=first,
        last=first + count - 1,
        integration=integration,
    )


def _count_steps(store: Store, query: str, **values: object) -> tuple[int, int]:
    """Returns the virtual machine steps of a query, and the number of rows that it returned or changed."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    with closing(sqlite3.connect(store.url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        connection.execute("BEGIN")
        connection.set_progress_handler(step, 1)
        cursor = connection.execute(store.catalog[query].sqlite, values)
        rows = len(cursor.fetchall())
        connection.set_progress_handler(None, 0)
        connection.execute("ROLLBACK")
        return steps, max(rows, cursor.rowcount)


@pytest.mark.parametrize(
    ("query", "state", "due"),
    [
        ("dispatch_probe_delivery", "delivered", "NULL"),
        ("dispatch_unpark", "pending", "n"),
        ("dispatch_due_deliveries", "delivered", "NULL"),
        ("dispatch_due_deliveries", "pending", "n"),
    ],
)
async def test_the_cost_of_a_claim_does_not_grow_with_the_history(
    store: Store, query: str, state: str, due: str
) -> None:
    integration = await _insert_integration_and_ticket(store)
    values = {
        "integration_id": integration,
        "now": 10**9,
        "updates_now": 10**9,
        "digest_limit": 1,
        "digest_after": 20,
        "limit": 100,
    }
    wanted = {name: values[name] for name in store.catalog[query].parameters}
    await _insert_deliveries(store, integration, 1, HISTORY, state=state, due=due)
    await _insert_deliveries(store, integration, 99_999_990, 1, state="pending", due="NULL")
    small, found = _count_steps(store, query, **wanted)
    assert found == (0 if query == "dispatch_due_deliveries" and state == "delivered" else 1)
    await _insert_deliveries(store, integration, HISTORY + 1, 4 * HISTORY, state=state, due=due)
    assert _count_steps(store, query, **wanted) == (small, found)


async def test_the_cost_of_a_claim_does_not_grow_with_the_updates_that_are_due(store: Store) -> None:
    integration = await _insert_integration_and_ticket(store)
    values = {"integration_id": integration, "now": 10**9, "updates_now": 10**9, "digest_limit": 1, "digest_after": 20}
    (ticket,) = await seeds.execute(store.database, "SELECT workspace_id FROM tickets")
    workspace = ticket["workspace_id"]
    costs = []
    for first in (1, HISTORY + 1):
        await _insert_deliveries(store, integration, first, HISTORY, state="pending", due="n")
        await seeds.execute(
            store.database,
            "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
            "updated_at) SELECT 'ticket_' || id, :workspace, 1 + substr(id, 5), '', '', '', '', 1, 1 FROM deliveries "
            "WHERE event = 'opened'",
            workspace=workspace,
        )
        await seeds.execute(
            store.database,
            "UPDATE deliveries SET event = 'updated', ticket_id = 'ticket_' || id WHERE event = 'opened'",
        )
        costs.append(_count_steps(store, "dispatch_due_deliveries", **values))
    assert costs[0] == costs[1]
    assert costs[0][1] == 1


async def test_a_probe_uses_the_oldest_pending_delivery(store: Store) -> None:
    integration = await _insert_integration_and_ticket(store)
    await _insert_deliveries(store, integration, 1, 2, state="pending", due="n")
    row = await store.database.fetch_one("dispatch_probe_delivery", integration_id=integration)
    assert row is not None
    assert row["id"] == "dlv_00000001"
    await _insert_deliveries(store, integration, 5, 2, state="pending", due="NULL")
    row = await store.database.fetch_one("dispatch_probe_delivery", integration_id=integration)
    assert row is not None
    assert row["id"] == "dlv_00000005"

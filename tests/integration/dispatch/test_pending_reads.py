"""Queries of pending deliveries read their indexes, while many messages and no updates are pending."""

from typing import Any

import pytest

from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import Store
from tests.support.work import measure_work

COUNT, PENDING, SENDING, NOW, LATER = 5000, 1000, 10, 100, 10**9
# The maximum work: rows of PostgreSQL's tables, or steps of SQLite's virtual machine. To read all deliveries takes at
# least 5000 rows or 25,000 steps.
FEW, BACKLOG, PAGE = (100, 1_000), (2 * PENDING, 18_000), (2 * PENDING, 20_000)
QUERIES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "delivery_page": (
        {"state": "pending", "before": "dlv_z", "limit": 50, "ticket_id": None, "without_updates": True},
        PAGE,
    ),
    "dispatch_ready_integrations": (
        {
            "types": ",slack,",
            "is_listed": 1,
            "latest_plausible": LATER,
            "max_paced_at": NOW,
            "max_plausible_paced_at": LATER,
            "limit": 10,
        },
        FEW,
    ),
    "dispatch_release_owner_deliveries": ({}, BACKLOG),
    "dispatch_removed_delivery": ({}, FEW),
    "loss_audit_stuck_deliveries": ({"limit": 10}, BACKLOG),
}


@pytest.fixture
async def integration(store: Store) -> dict[str, object]:
    """Inserts messages and updates of one integration. The newest messages are pending; a few are being sent."""
    workspace_id = await seeds.insert_workspace(store.database)
    integration_id = await seeds.insert_integration(store.database, workspace_id)
    ticket_id = await seeds.insert_ticket(store.database, workspace_id, 1)
    rows = []
    for n in range(COUNT):
        is_update, is_new = n % 3 == 0, n >= COUNT - PENDING * 3 // 2
        state = "pending" if is_new and not is_update else "delivered"
        rows.append(
            f"('dlv_{n:05}', '{workspace_id}', '{ticket_id}', 'msg_1', '{integration_id}', "
            f"'{'updated' if is_update else 'opened'}', '{state}', {NOW + 1}, {LATER}, {int(n >= COUNT - SENDING)}, 1)"
        )
    columns = (
        "id, workspace_id, ticket_id, message_id, integration_id, event, state, next_attempt_at, expires_at, claims"
    )
    for start in range(0, COUNT, 400):  # SQLite compiles at most 500 rows of VALUES
        values = ", ".join(rows[start : start + 400])
        await seeds.execute(store.database, f"INSERT INTO deliveries ({columns}, created_at) VALUES {values}")
    await seeds.execute(
        store.database,
        "INSERT INTO attempts (delivery_id, n, started_at, outcome) SELECT id, 1, 1, "
        "CASE WHEN claims > 0 THEN 'open' ELSE 'delivered' END FROM deliveries WHERE state = 'delivered' OR claims > 0",
    )
    if not isinstance(store.database, SqliteDatabase):  # SQLite works without statistics
        await seeds.execute(store.database, "ANALYZE")
    return {"workspace_id": workspace_id, "integration_id": integration_id, "now": NOW}


@pytest.mark.parametrize("query", QUERIES)
async def test_pending_deliveries_are_read_from_their_indexes(
    store: Store, integration: dict[str, object], query: str
) -> None:
    values, (rows, steps) = QUERIES[query]
    limit = steps if isinstance(store.database, SqliteDatabase) else rows
    assert await measure_work(store, query, integration | values) <= limit

"""Queries of the mail for smarthosts read their indexes, whatever was sent before and however much waits."""

from typing import Any

import pytest

from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import Store
from tests.support.work import measure_work

COUNT, WAITING, NOW, LATER = 5000, 1000, 10**6, 10**9
# The maximum work: rows of PostgreSQL's tables, or steps of SQLite's virtual machine.
FEW, LIMITED = (100, 1_000), (2000, 15_000)
QUERIES: dict[str, tuple[dict[str, Any], tuple[int, int]]] = {
    "submission_ready": ({"latest_plausible": LATER}, FEW),
    "submission_due": ({"limit": 4}, FEW),
    "submission_probe": ({"limit": 4}, FEW),
    "submission_park": ({"limit": 4, "reason": "failing"}, FEW),
    "smarthost_unpark": ({"id": "installation", "limit": 4}, FEW),
    "submission_postpone": ({"limit": 4, "until": LATER, "reason": "limit"}, FEW),
    "submission_sent_count": ({"since": 0, "limit": 500}, LIMITED),
    "submission_open_attempts": ({}, (2 * WAITING, 40_000)),
}


@pytest.fixture
async def values(store: Store) -> dict[str, object]:
    """Inserts sent mail, and waiting mail of which one is due and one is parked."""
    workspace_id = await seeds.insert_workspace(store.database)
    ticket_id = await seeds.insert_ticket(store.database, workspace_id, 1)
    columns = (
        "id, workspace_id, ticket_id, message_id, integration_id, event, target, state, next_attempt_at, parked_at, "
        "delivered_at, expires_at, created_at"
    )
    rows = []
    for n in range(COUNT):
        is_sent, is_parked = n < COUNT - WAITING, n == COUNT - 1
        state = f"'delivered', NULL, NULL, {n}" if is_sent else f"'pending', {LATER + n}, NULL, NULL"
        state = (
            "'pending', NULL, 1, NULL" if is_parked else f"'pending', {NOW}, NULL, NULL" if n == COUNT - 2 else state
        )
        rows.append(
            f"('dlv_{n:05}', '{workspace_id}', '{ticket_id}', 'msg_1', 'installation', 'reply', 'smarthost', "
            f"{state}, {LATER}, 1)"
        )
    for start in range(0, COUNT, 400):
        chunk = ", ".join(rows[start : start + 400])
        await seeds.execute(store.database, f"INSERT INTO deliveries ({columns}) VALUES {chunk}")
    await seeds.execute(store.database, "INSERT INTO smarthosts (id, url) VALUES ('installation', '')")
    if not isinstance(store.database, SqliteDatabase):
        await seeds.execute(store.database, "ANALYZE")
    return {"workspace_id": workspace_id, "smarthost_id": "installation", "now": NOW}


@pytest.mark.parametrize("query", QUERIES)
async def test_waiting_mail_is_read_from_its_indexes(store: Store, values: dict[str, object], query: str) -> None:
    own, (rows, steps) = QUERIES[query]
    limit = steps if isinstance(store.database, SqliteDatabase) else rows
    assert await measure_work(store, query, values | own) <= limit

"""The queries of all pending deliveries find messages and updates of posts, which are in two indexes."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.support import seeds
from tests.support.stores import Store

KINDS = ("opened", "updated")
DUE, NOW, LATER = 50, 100, 10**9
READY = {
    "types": ",slack,",
    "is_listed": 1,
    "now": NOW,
    "latest_plausible": LATER,
    "max_paced_at": NOW,
    "max_plausible_paced_at": LATER,
    "limit": 10,
}
EVERY_DELIVERY = {"before": "dlv_z", "limit": 10, "ticket_id": None, "without_updates": True}


@dataclass
class Backlog:
    """An integration with a pending message and a pending update of a post, each of its own ticket."""

    store: Store
    workspace_id: str
    integration_id: str

    async def set(self, kind: str, assignments: str) -> None:
        """Changes the delivery of one kind; the other one is delivered, and so in neither index."""
        await seeds.execute(self.store.database, "UPDATE deliveries SET state = 'delivered', parked_at = NULL")
        await seeds.execute(
            self.store.database, f"UPDATE deliveries SET state = 'pending', {assignments} WHERE event = '{kind}'"
        )

    async def times(self) -> dict[str, object]:
        """Returns when each pending delivery is due, by its kind."""
        rows = await seeds.execute(
            self.store.database, "SELECT event, next_attempt_at FROM deliveries WHERE state = 'pending'"
        )
        return {str(row["event"]): row["next_attempt_at"] for row in rows}

    async def ids(self, query: str, **values: object) -> list[str]:
        return [row["id"] for row in await self.store.database.fetch_all(query, **values)]

    async def change(self, query: str, **values: object) -> int:
        return await self.store.database.execute(query, **values)


@pytest.fixture
async def backlog(store: Store) -> Backlog:
    database = store.database
    workspace_id = await seeds.insert_workspace(database)
    integration_id = await seeds.insert_integration(database, workspace_id)
    for number, kind in enumerate(KINDS, start=1):
        delivery: dict[str, Any] = {"id": f"dlv_{kind}", "workspace": workspace_id, "integration": integration_id}
        await seeds.execute(
            database,
            "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, next_attempt_at, "
            f"claims, expires_at, created_at) VALUES (:id, :workspace, :ticket, 'msg_1', :integration, '{kind}', "
            f"{DUE}, 1, {LATER}, 1)",
            **delivery,
            ticket=await seeds.insert_ticket(database, workspace_id, number),
        )
        await seeds.execute(
            database, f"INSERT INTO attempts (delivery_id, n, started_at) VALUES ('dlv_{kind}', 1, {DUE})"
        )
    return Backlog(store, workspace_id, integration_id)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("status", "due", "is_ready"),
    [
        ("active", str(DUE), True),
        ("active", str(NOW + 1), False),
        ("active", "NULL, parked_at = 1", True),
        ("failing", str(NOW + 1), True),
        ("failing", "NULL, parked_at = 1", True),
    ],
)
async def test_an_integration_with_due_deliveries_is_ready(
    backlog: Backlog, kind: str, status: str, due: str, is_ready: bool
) -> None:
    await backlog.set(kind, f"next_attempt_at = {due}")
    await seeds.execute(backlog.store.database, f"UPDATE integrations SET status = '{status}', probe_at = 1")
    assert await backlog.ids("dispatch_ready_integrations", **READY) == [backlog.integration_id] * is_ready


async def test_both_kinds_are_parked_and_made_due(backlog: Backlog) -> None:
    given = {"integration_id": backlog.integration_id, "now": NOW}
    await backlog.change("dispatch_park", **given, limit=1)
    assert await backlog.times() == {"opened": None, "updated": DUE}
    await backlog.change("dispatch_park", **given, limit=10)
    assert await backlog.times() == {"opened": None, "updated": None}
    await backlog.change("dispatch_unpark", **given, limit=1)
    assert await backlog.times() == {"opened": NOW, "updated": None}
    await backlog.change("dispatch_unpark", **given, limit=10)
    assert await backlog.times() == {"opened": NOW, "updated": NOW}


async def test_both_kinds_become_due_after_a_crash_or_a_wrong_clock(backlog: Backlog) -> None:
    for query, values in (
        ("dispatch_release_owner_deliveries", {"integration_id": backlog.integration_id}),
        ("dispatch_repair_times", {"latest_plausible": 2 * NOW}),
    ):
        await seeds.execute(backlog.store.database, f"UPDATE deliveries SET next_attempt_at = {LATER}")
        assert await backlog.change(query, **values, now=NOW) == 2
        assert await backlog.times() == {"opened": NOW, "updated": NOW}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_pending_delivery_of_each_kind_is_listed_and_audited(backlog: Backlog, kind: str) -> None:
    await backlog.set(kind, f"next_attempt_at = {DUE}")
    listed = {"workspace_id": backlog.workspace_id, "state": "pending", "integration_id": None}
    assert await backlog.ids("delivery_page", **listed, **EVERY_DELIVERY) == [f"dlv_{kind}"]
    assert await backlog.ids("loss_audit_stuck_deliveries", limit=10) == []
    await backlog.set(kind, "next_attempt_at = NULL")
    assert await backlog.ids("loss_audit_stuck_deliveries", limit=10) == [f"dlv_{kind}"]
    await seeds.execute(backlog.store.database, "DELETE FROM integrations")
    assert await backlog.ids("dispatch_removed_delivery", integration_id=None) == [f"dlv_{kind}"]

"""What needs attention is found, and cheaply, however many replies failed before and however many tickets there are."""

import pytest

from router.admin.installation import attention
from router.admin.installation.attention import AttentionService
from router.clock import SystemClock
from router.model import Actor
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import Store
from tests.support.work import measure_work

SOLVED, UNSOLVED, OTHER_TICKETS = 900, 20, 100


@pytest.fixture
async def workspace_id(store: Store) -> str:
    """Inserts old failed replies of open tickets, newer ones of a resolved ticket, and an older post that failed."""
    workspace_id = await seeds.insert_workspace(store.database)
    unsolved, solved = [await seeds.insert_ticket(store.database, workspace_id, n) for n in (1, 2)]
    integration_id = await seeds.insert_integration(store.database, workspace_id)
    await seeds.execute(store.database, "UPDATE tickets SET status = 'resolved' WHERE id = :id", id=solved)
    replies, recipients, deliveries = [], [], []
    for n in range(SOLVED + UNSOLVED):
        state, ticket_id = ("failed", "bounced")[n % 2], unsolved if n < UNSOLVED else solved
        replies.append(f"('rpl_{n:05}', '{workspace_id}', '{ticket_id}', 'msg_{n:05}', '{state}', 'system', 1, 1)")
        recipients.append(f"('rpl_{n:05}', '{workspace_id}', 'a@b', 'a@b', 'to', 't{n}', 'dlv_{n:05}', '{state}')")
        target = f"'{integration_id}', 'opened', 'integration'" if n == 0 else "'installation', 'reply', 'smarthost'"
        deliveries.append(f"('dlv_{n:05}', '{workspace_id}', '{ticket_id}', 'msg_{n:05}', {target}, 'dead', 1, 1)")
    for table, columns, rows in (
        ("replies", "id, workspace_id, ticket_id, message_id, state, actor_type, send_at, created_at", replies),
        (
            "reply_recipients",
            "reply_id, workspace_id, address, address_key, field, token, delivery_id, state",
            recipients,
        ),
        (
            "deliveries",
            "id, workspace_id, ticket_id, message_id, integration_id, event, target, state, expires_at, created_at",
            deliveries,
        ),
    ):
        await seeds.execute(store.database, f"INSERT INTO {table} ({columns}) VALUES {', '.join(rows)}")
    return workspace_id


async def test_what_needs_attention_is_found_behind_what_does_not(
    store: Store, workspace_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    service, actor = AttentionService(store.database, SystemClock()), Actor(workspace_id, "admin")
    assert (await service.get_counts(actor)).failed_replies == UNSOLVED
    found = await service.list_failed_replies(actor, limit=UNSOLVED + 1)
    assert [view.reply.id for view in found] == [f"rpl_{n:05}" for n in reversed(range(UNSOLVED))]
    assert len(found[0].recipients) == 1
    monkeypatch.setattr(attention, "MAX_SCANNED", 1)  # replies do not use the limit of posts
    assert [each.id for each in await service.list_failed(actor, limit=10)] == ["dlv_00000"]


async def test_the_cost_is_bounded(store: Store, workspace_id: str) -> None:
    for number in range(3, OTHER_TICKETS):
        await seeds.insert_ticket(store.database, workspace_id, number)
    is_sqlite = isinstance(store.database, SqliteDatabase)
    if not is_sqlite:
        await seeds.execute(store.database, "ANALYZE")
    costs: dict[str, tuple[dict[str, object], int]] = {
        "attention_counts": ({"workspace_id": workspace_id, "limit": 1000, "scanned": 10}, 1500),
        "acknowledgement_due": ({"has_checks": 1, "overdue": 0, "limit": 100}, 100),
        "loss_audit_mismatched_replies": ({"max_examined": 10, "limit": 10}, 1000),
    }
    for query, (values, limit) in costs.items():
        if is_sqlite or query == "acknowledgement_due":  # PostgreSQL reads small tables at once
            assert await measure_work(store, query, values) <= limit, query

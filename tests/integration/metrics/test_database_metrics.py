"""Metrics read from the database are cached. While it is unavailable, only `emailrouter_store_up` is present."""

import asyncio

from prometheus_client import CollectorRegistry

from emailrouter.metrics.database_metrics import FRESH_SECONDS, IDLE_FACTOR, DatabaseMetrics
from router.clock import SECOND
from router.errors import Unavailable
from router.store.database import Database, Row
from tests.integration.metrics.scrape import MetricValues
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.stores import Store


class FakeDatabase:
    """A database that counts the reads of metrics, and can be slow or unavailable."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.read_count = 0
        self.read_seconds = 0.0
        self.is_unavailable = False

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        if self.is_unavailable:
            raise Unavailable("no connection")
        self.read_count += query == "metrics_queue"
        self.clock.advance(self.read_seconds / 7)  # the number of queries
        return {}


def read_values(database_metrics: DatabaseMetrics) -> MetricValues:
    return MetricValues(database_metrics.collect())


async def test_empty_database(store: Store) -> None:
    database_metrics = DatabaseMetrics(store.database, FakeClock(), CollectorRegistry())
    assert read_values(database_metrics)("emailrouter_store_up") == 0, "0 before the first refresh"
    await database_metrics.refresh()
    metrics = read_values(database_metrics)
    assert metrics("emailrouter_store_up") == 1
    assert {value for (name, _), value in metrics.samples.items() if name != "emailrouter_store_up"} == {0}


async def test_metrics_match_database(store: Store) -> None:
    clock = FakeClock()
    database = store.database
    workspace = await seeds.insert_workspace(database)
    integration = await seeds.insert_integration(database, workspace)
    now = clock.now()
    events = [
        # message, state of its delivery, whether it is parked, seconds since the message was accepted
        ("a", "delivered", False, 900),
        ("b", "pending", True, 600),
        ("c", "pending", False, 300),
        ("d", "dead", False, 1200),
        ("s", "spam", False, 1300),
        ("e", None, False, 100),  # no delivery: its alias has no integration
    ]
    for number, (name, state, parked, ago) in enumerate(events):
        await _message(database, workspace, name, now - ago * SECOND)
        await _ticket(database, workspace, name, number, now)
        if state is not None:
            await seeds.execute(
                database,
                "INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, state, "
                "next_attempt_at, parked_at, expires_at, created_at) VALUES (:id, :workspace, :ticket, :message, "
                ":integration, 'opened', :state, CAST(:due AS BIGINT), CAST(:parked AS BIGINT), :now, :created)",
                id=f"dlv_{name}",
                workspace=workspace,
                ticket=f"ticket_{name}",
                message=f"msg_{name}",
                integration=integration,
                state=state,
                due=now if state == "pending" and not parked else None,
                parked=now if parked else None,
                now=now,
                created=now - ago * SECOND,
            )
    await database.fetch_one("check_queue_add", message_id="msg_a")
    await _message(database, workspace, "f", now)  # a message without a ticket, as left by a program error
    await seeds.execute(database, "UPDATE integrations SET status = 'failing'")

    database_metrics = DatabaseMetrics(database, clock, CollectorRegistry())
    await database_metrics.refresh()
    metrics = read_values(database_metrics)
    assert metrics("emailrouter_queue_deliveries", state="waiting", target="integration") == 1
    assert metrics("emailrouter_queue_deliveries", state="parked", target="integration") == 1
    assert metrics("emailrouter_queue_oldest_seconds") == 600
    assert metrics("emailrouter_dead_deliveries", target="integration") == 1
    assert metrics("emailrouter_spam_deliveries") == 1
    assert metrics("emailrouter_unchecked_messages") == 1
    assert metrics("emailrouter_failing_integrations") == 1
    assert metrics("emailrouter_audit_messages") == 7
    assert metrics("emailrouter_audit_unticketed_messages") == 1
    assert metrics("emailrouter_audit_missing_tickets") == 1
    for state in ("delivered", "dead", "spam", "none"):
        assert metrics("emailrouter_audit_ticket_events", state=state) == 1
    assert metrics("emailrouter_audit_ticket_events", state="pending") == 2


async def test_database_is_queried_rarely() -> None:
    clock = FakeClock()
    database = FakeDatabase(clock)
    database_metrics = DatabaseMetrics(database, clock, CollectorRegistry())
    await asyncio.gather(*(database_metrics.refresh() for _ in range(10)))
    assert database.read_count == 1
    clock.advance(FRESH_SECONDS)
    await database_metrics.refresh()
    assert database.read_count == 2


async def test_slow_queries_are_run_less_often() -> None:
    clock = FakeClock()
    database = FakeDatabase(clock)
    database.read_seconds = 2.0
    database_metrics = DatabaseMetrics(database, clock, CollectorRegistry())
    await database_metrics.refresh()
    clock.advance(2.0 * IDLE_FACTOR - 1)
    await database_metrics.refresh()
    assert database.read_count == 1
    clock.advance(1)
    await database_metrics.refresh()
    assert database.read_count == 2


async def test_unknown_metrics_are_absent() -> None:
    clock = FakeClock()
    database = FakeDatabase(clock)
    database_metrics = DatabaseMetrics(database, clock, CollectorRegistry())
    await database_metrics.refresh()
    assert "emailrouter_dead_deliveries" in read_values(database_metrics).families
    database.is_unavailable = True
    clock.advance(FRESH_SECONDS)
    await database_metrics.refresh()
    assert set(read_values(database_metrics).families) == {"emailrouter_store_up"}
    assert read_values(database_metrics)("emailrouter_store_up") == 0
    database.is_unavailable = False
    clock.advance(FRESH_SECONDS)
    await database_metrics.refresh()
    assert read_values(database_metrics)("emailrouter_store_up") == 1


async def _message(database: Database, workspace: str, name: str, received_at: int) -> None:
    await seeds.execute(
        database,
        "INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size, "
        "received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic) "
        "VALUES (:id, :workspace, '', '', '', '', '', '', 1, :received_at, '', '[]', '', '', '', '')",
        id=f"msg_{name}",
        workspace=workspace,
        received_at=received_at,
    )


async def _ticket(database: Database, workspace: str, name: str, number: int, now: int) -> None:
    await seeds.execute(
        database,
        "INSERT INTO tickets (id, workspace_id, number, address, subject, from_address, from_name, received_at, "
        "updated_at) VALUES (:id, :workspace, :number, '', '', '', '', :now, :now)",
        id=f"ticket_{name}",
        workspace=workspace,
        number=number,
        now=now,
    )
    for recipient in ("support@example.com", "support+tag@example.com"):
        await seeds.execute(
            database,
            "INSERT INTO ticket_messages (ticket_id, message_id, recipient, tag, joined_by, created_at) "
            "VALUES (:ticket, :message, :recipient, '', '', :now)",
            ticket=f"ticket_{name}",
            message=f"msg_{name}",
            recipient=recipient,
            now=now,
        )

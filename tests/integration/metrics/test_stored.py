"""Metrics read from the database: correct on both databases, cached, and absent while it does not respond."""

import asyncio

from prometheus_client import CollectorRegistry

from emailrouter.metrics.database_metrics import FRESH_SECONDS, IDLE_FACTOR, DatabaseMetrics
from router.clock import SECOND
from router.errors import Unavailable
from router.store.database import Database, Row
from tests.integration.metrics.scrape import Figures
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.stores import Store


class Answering:
    """A database that counts queries, and can be slow or unavailable."""

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.questions = 0
        self.takes = 0.0
        self.away = False

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        if self.away:
            raise Unavailable("away")
        self.questions += query == "metrics_queue"
        self.clock.advance(self.takes / 4)
        return {}


def figures_of(stored: DatabaseMetrics) -> Figures:
    return Figures(stored.collect())


async def test_empty_database(store: Store) -> None:
    stored = DatabaseMetrics(store.database, FakeClock(), CollectorRegistry())
    assert figures_of(stored)("emailrouter_store_up") == 0, "nothing is told before the first reading"
    await stored.refresh()
    figures = figures_of(stored)
    assert figures("emailrouter_store_up") == 1
    assert {value for (name, _), value in figures.samples.items() if name != "emailrouter_store_up"} == {0}


async def test_metrics_match_database(store: Store) -> None:
    clock = FakeClock()
    database = store.database
    workspace = await seeds.insert_workspace(database)
    integration = await seeds.insert_integration(database, workspace)
    now = clock.now()
    events = [
        # message, state, parked, accepted so many seconds ago
        ("a", "delivered", False, 900),
        ("b", "pending", True, 600),
        ("c", "pending", False, 300),
        ("d", "dead", False, 1200),
        ("e", None, False, 100),  # its alias has no integration
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
    await _message(database, workspace, "f", now)  # what must never be: no ticket
    await seeds.execute(database, "UPDATE integrations SET status = 'failing'")

    stored = DatabaseMetrics(database, clock, CollectorRegistry())
    await stored.refresh()
    figures = figures_of(stored)
    assert figures("emailrouter_queue_deliveries", state="waiting") == 1
    assert figures("emailrouter_queue_deliveries", state="parked") == 1
    assert figures("emailrouter_queue_oldest_seconds") == 600
    assert figures("emailrouter_dead_deliveries") == 1
    assert figures("emailrouter_failing_integrations") == 1
    assert figures("emailrouter_audit_messages") == 6
    assert figures("emailrouter_audit_unticketed_messages") == 1
    assert figures("emailrouter_audit_missing_tickets") == 1
    for state in ("delivered", "dead", "none"):
        assert figures("emailrouter_audit_ticket_events", state=state) == 1
    assert figures("emailrouter_audit_ticket_events", state="pending") == 2


async def test_database_is_queried_rarely() -> None:
    clock = FakeClock()
    database = Answering(clock)
    stored = DatabaseMetrics(database, clock, CollectorRegistry())
    await asyncio.gather(*(stored.refresh() for _ in range(10)))
    assert database.questions == 1
    clock.advance(FRESH_SECONDS)
    await stored.refresh()
    assert database.questions == 2


async def test_slow_queries_are_run_less_often() -> None:
    clock = FakeClock()
    database = Answering(clock)
    database.takes = 2.0
    stored = DatabaseMetrics(database, clock, CollectorRegistry())
    await stored.refresh()
    clock.advance(2.0 * IDLE_FACTOR - 1)
    await stored.refresh()
    assert database.questions == 1
    clock.advance(1)
    await stored.refresh()
    assert database.questions == 2


async def test_unknown_metrics_are_absent() -> None:
    clock = FakeClock()
    database = Answering(clock)
    stored = DatabaseMetrics(database, clock, CollectorRegistry())
    await stored.refresh()
    assert "emailrouter_dead_deliveries" in figures_of(stored).families
    database.away = True
    clock.advance(FRESH_SECONDS)
    await stored.refresh()
    assert set(figures_of(stored).families) == {"emailrouter_store_up"}
    assert figures_of(stored)("emailrouter_store_up") == 0
    database.away = False
    clock.advance(FRESH_SECONDS)
    await stored.refresh()
    assert figures_of(stored)("emailrouter_store_up") == 1


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
    for recipient in ("support@example.com", "support+tag@example.com"):  # two recipients are one ticket event
        await seeds.execute(
            database,
            "INSERT INTO ticket_messages (ticket_id, message_id, recipient, tag, joined_by, created_at) "
            "VALUES (:ticket, :message, :recipient, '', '', :now)",
            ticket=f"ticket_{name}",
            message=f"msg_{name}",
            recipient=recipient,
            now=now,
        )

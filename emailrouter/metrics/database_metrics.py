"""Metrics that are read from the database: deliveries by state, failing integrations and smarthosts, the loss audit.

The queries run for at most about 5% of the time, however often the metrics are scraped. If the database does not
respond, `emailrouter_store_up` is 0 and the other metrics are absent. All processes that use a database export the
same values: aggregate with `max`, not `sum`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from router.clock import SECOND, Clock
from router.errors import Unavailable
from router.store.database import Row

FRESH_SECONDS = 5.0
# If the queries took t seconds, their values are reused for at least IDLE_FACTOR * t.
IDLE_FACTOR = 20
QUERY_SECONDS = 5.0  # time limit for all queries of one refresh
# The loss audit of the metrics checks this many of the newest messages.
AUDITED_MESSAGES = 1000

log = structlog.get_logger()


class RowSource(Protocol):
    """The method of `router.store.database.Database` that this module uses."""

    async def fetch_one(self, query: str, /, **values: object) -> Row | None: ...


class DatabaseMetrics(Collector):
    """Collects the values that `refresh` reads. `collect` never waits for the database."""

    def __init__(self, database: RowSource, clock: Clock, registry: CollectorRegistry) -> None:
        self._database = database
        self._clock = clock
        self._lock = asyncio.Lock()
        self._stale_at = clock.monotonic()
        self._values: Mapping[str, int] | None = None
        registry.register(self)

    async def refresh(self) -> None:
        """Reads the values again if they are stale. Concurrent calls run the queries only once."""
        async with self._lock:
            began = self._clock.monotonic()
            if began < self._stale_at:
                return
            try:
                async with asyncio.timeout(QUERY_SECONDS):
                    self._values = await self._read()
            except (Unavailable, TimeoutError) as error:
                self._values = None
                log.warning("metrics.database_unavailable", reason=str(error) or "no response in time")
            now = self._clock.monotonic()
            self._stale_at = now + max(FRESH_SECONDS, IDLE_FACTOR * (now - began))

    async def _read(self) -> Mapping[str, int]:
        result: dict[str, int] = {}
        for query, prefix, values in (
            ("metrics_queue", "", {}),
            ("metrics_dead", "", {}),
            ("metrics_spam", "", {}),
            ("metrics_failing", "", {}),
            ("metrics_smarthosts", "", {}),
            ("metrics_checks", "", {}),
            ("loss_audit_totals", "audit_", {"max_examined": AUDITED_MESSAGES}),
        ):
            row = await self._database.fetch_one(query, **values)
            if row is not None:
                result |= {prefix + name: row[name] or 0 for name in row.keys()}  # noqa: SIM118 - a row iterates over its values
        return result

    def describe(self) -> Iterator[Metric]:
        """The registry uses only the names of these metrics."""
        yield from _build_families({}, 0)

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(
            "emailrouter_store_up",
            "Whether the last query for metrics from the database succeeded.",
            0 if self._values is None else 1,
        )
        yield up
        if self._values is not None:
            yield from _build_families(self._values, self._clock.now())


def _build_families(values: Mapping[str, int], now: int) -> list[Metric]:
    def get(name: str) -> int:
        return values.get(name, 0)

    queue = GaugeMetricFamily(
        "emailrouter_queue_deliveries",
        "Pending deliveries: waiting for their next attempt, or parked while their integration or smarthost fails.",
        labels=["state", "target"],
    )
    dead = GaugeMetricFamily("emailrouter_dead_deliveries", "Deliveries that failed permanently.", labels=["target"])
    for target, suffix in (("integration", ""), ("smarthost", "_replies")):
        queue.add_metric(["waiting", target], get(f"waiting{suffix}"))
        queue.add_metric(["parked", target], get(f"parked{suffix}"))
        dead.add_metric([target], get(f"dead{suffix}"))
    oldest = get("oldest_at")
    return [
        queue,
        GaugeMetricFamily(
            "emailrouter_queue_oldest_seconds",
            "Age of the message of the oldest pending delivery; 0 if there is none.",
            max(0, now - oldest) / SECOND if oldest else 0,
        ),
        dead,
        GaugeMetricFamily("emailrouter_spam_deliveries", "Deliveries of tickets that are held as spam.", get("spam")),
        GaugeMetricFamily(
            "emailrouter_unchecked_messages", "Messages whose sender is not checked yet.", get("unchecked")
        ),
        GaugeMetricFamily("emailrouter_failing_integrations", "Integrations that are failing.", get("failing")),
        GaugeMetricFamily(
            "emailrouter_failing_smarthosts", "Smarthosts that are failing: replies wait.", get("failing_smarthosts")
        ),
        *_build_audit_families(values),
    ]


def _build_audit_families(values: Mapping[str, int]) -> list[Metric]:
    def get(name: str) -> int:
        return values.get(f"audit_{name}", 0)

    audited = GaugeMetricFamily(
        "emailrouter_audit_ticket_events",
        f"Ticket events of the newest {AUDITED_MESSAGES} messages by state of delivery; none: no delivery expected.",
        labels=["state"],
    )
    states = ("delivered", "pending", "dead", "spam")
    for state in states:
        audited.add_metric([state], get(state))
    audited.add_metric(["none"], get("events") - get("undelivered") - sum(get(each) for each in states))
    return [
        GaugeMetricFamily("emailrouter_audit_messages", "Messages that the loss audit checked.", get("messages")),
        GaugeMetricFamily(
            "emailrouter_audit_unticketed_messages",
            "Audited messages without a ticket; any value other than 0 is a bug.",
            get("messages") - get("ticketed"),
        ),
        GaugeMetricFamily(
            "emailrouter_audit_missing_tickets",
            "Aliases of the audited messages without a ticket, except for duplicates; any value other than 0 is a bug.",
            get("accepted") - get("repeated") - get("events"),
        ),
        GaugeMetricFamily(
            "emailrouter_audit_missing_deliveries",
            "Ticket events of the audited messages that lack a delivery; any value other than 0 is a bug.",
            get("undelivered"),
        ),
        audited,
    ]

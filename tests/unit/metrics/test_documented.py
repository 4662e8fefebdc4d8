"""docs/metrics.md lists exactly the metrics of the program, and docs/monitoring uses only existing metrics."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from prometheus_client import CollectorRegistry, Metric

from emailrouter.metrics.database_metrics import DatabaseMetrics
from emailrouter.metrics.meter import PrometheusMeter
from router.clock import SystemClock
from router.store.database import Row

DOCS = Path(__file__).parents[3] / "docs"
_NAME = re.compile(r"\b(?:emailrouter|process)_[a-z_]+\b")
_SUFFIXES = {
    "counter": ["_total"],
    "gauge": [""],
    "histogram": ["_bucket", "_count", "_sum"],
    "info": ["_info"],
}


class UnusedDatabase:
    """A database that must not be queried."""

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        raise AssertionError((query, values))


def metric_families() -> Iterator[Metric]:
    """Yields all metrics of a process with every role."""
    meter = PrometheusMeter(["smtp", "api", "deliver"])
    meter.watch_connections(int)
    meter.watch_certificate(lambda: 0.0)
    yield from meter.registry.collect()
    database_metrics = DatabaseMetrics(UnusedDatabase(), SystemClock(), CollectorRegistry())
    yield from database_metrics.describe()
    yield from database_metrics.collect()


def sample_names() -> set[str]:
    return {f"{family.name}{suffix}" for family in metric_families() for suffix in _SUFFIXES[family.type]}


def test_document_lists_every_metric() -> None:
    listed = re.findall(r"^\| `(emailrouter_\w+)` \| (\w+) \|", (DOCS / "metrics.md").read_text(), re.MULTILINE)
    exported = {
        (family.name + {"counter": "_total", "info": "_info"}.get(family.type, ""), family.type)
        for family in metric_families()
        if family.name.startswith("emailrouter")
    }
    assert set(listed) == exported
    assert len(listed) == len(exported)


def test_label_names() -> None:
    meter = PrometheusMeter([])
    names = {
        label for collector in meter.registry._collector_to_names for label in getattr(collector, "_labelnames", ())
    }
    assert names == {"reason", "kind", "result", "outcome", "fault", "method", "route", "status"}


def _alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((DOCS / "monitoring" / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def test_alerts_use_existing_metrics() -> None:
    rules = _alerts()
    assert len(rules) >= 8
    for rule in rules:
        assert set(rule) == {"alert", "expr", "for", "labels", "annotations"}, rule
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert set(rule["annotations"]) == {"summary", "description"}
    assert {name for rule in rules for name in _NAME.findall(rule["expr"])} <= sample_names()


def test_dashboard_uses_existing_metrics() -> None:
    dashboard = json.loads((DOCS / "monitoring" / "dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    assert len(panels) >= 10
    used = {name for expression in expressions for name in _NAME.findall(expression)}
    assert used <= sample_names()
    shown = {family.name for family in metric_families() if family.name.startswith("emailrouter")}
    assert {name for name in shown if any(sample.startswith(name) for sample in used)} >= shown - {
        "emailrouter",  # the version, which no panel shows
        "emailrouter_audit_messages",
    }
    positions = [tuple(panel["gridPos"].values()) for panel in dashboard["panels"]]
    assert len(set(positions)) == len(positions)
    assert [panel["id"] for panel in dashboard["panels"]] == list(range(1, len(positions) + 1))

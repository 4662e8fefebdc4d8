"""Scrapes metrics in the OpenMetrics format."""

from collections.abc import Iterable

import aiohttp
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


class MetricValues:
    """The values of one scrape.

    `metrics("emailrouter_refused_total", reason="...")` returns the value of a sample, or 0 if it is absent.
    """

    def __init__(self, families: Iterable[Metric]) -> None:
        self.families = {family.name: family for family in families}
        self.samples = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families.values()
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float:
        return self.samples.get((name, frozenset(labels.items())), 0.0)


async def scrape(address: str) -> MetricValues:
    async with (
        aiohttp.ClientSession(headers={"Accept": OPENMETRICS}) as http,
        http.get(f"http://{address}/metrics") as response,
    ):
        assert response.status == 200
        assert response.headers["Content-Type"].startswith("application/openmetrics-text")
        return MetricValues(text_string_to_metric_families(await response.text()))  # type: ignore[no-untyped-call]

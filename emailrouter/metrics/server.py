"""Serves `GET /metrics` at `[metrics] listen`, as OpenMetrics or in the Prometheus text format.

There is no authentication. The server starts before the other servers and stops after all roles, so that a shutdown
can be observed.
"""

from __future__ import annotations

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from config.values import Address
from emailrouter.metrics.database_metrics import DatabaseMetrics

# Maximum wait of `stop` for a running scrape.
SHUTDOWN_SECONDS = 1.0


class MetricsServer:
    def __init__(self, listen: Address, registry: CollectorRegistry, database_metrics: DatabaseMetrics) -> None:
        self._listen = listen
        self._registry = registry
        self._database_metrics = database_metrics
        self._runner: web.AppRunner | None = None

    @property
    def address(self) -> str | None:
        if self._runner is None or not self._runner.addresses:
            return None
        host, port = self._runner.addresses[0][:2]
        return str(Address(host, port))

    async def start(self) -> None:
        """Starts listening. Raises OSError if the address cannot be used."""
        application = web.Application()
        application.router.add_get("/metrics", self._handle_request)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._listen.host, self._listen.port)
        try:
            await site.start()
        except OSError:
            await self.stop()
            raise

    async def stop(self) -> None:
        if self._runner is not None:
            runner, self._runner = self._runner, None
            await runner.cleanup()

    async def _handle_request(self, request: web.Request) -> web.Response:
        await self._database_metrics.refresh()
        encode, content_type = choose_encoder(request.headers.get(hdrs.ACCEPT, ""))
        return web.Response(body=encode(self._registry), headers={hdrs.CONTENT_TYPE: content_type})

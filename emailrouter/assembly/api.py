"""Builds the HTTP server for the API and the dashboard."""

from __future__ import annotations

from importlib.metadata import version

from api.app import build_app
from api.connection_limits import ConnectionLimits
from api.server import MAX_CONNECTIONS, ApiServer
from emailrouter.assembly.core import Core


def build_server(core: Core) -> ApiServer:
    settings = core.config.api
    app = build_app(
        core.services,
        settings,
        public_url=core.config.server.public_url,
        version=version("emailrouter"),
        meter=core.meter,
    )
    limits = ConnectionLimits(
        total=MAX_CONNECTIONS,
        per_address=settings.max_connections_per_ip,
        trusted=settings.trusted_proxies,
        monotonic=core.clock.monotonic,
    )
    keepalive = settings.keepalive_timeout.total_seconds()
    if settings.listen == "systemd":
        return ApiServer(app, systemd=True, limits=limits, keepalive_timeout=keepalive)
    host, port = settings.listen.host, settings.listen.port
    return ApiServer(app, host=host, port=port, limits=limits, keepalive_timeout=keepalive)

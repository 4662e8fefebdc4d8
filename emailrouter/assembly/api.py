"""The HTTP server of a process: REST and dashboard."""

from __future__ import annotations

from importlib.metadata import version

from api.app import build_app
from api.server import ApiServer
from emailrouter.assembly.core import Core


def server(core: Core) -> ApiServer:
    """Not listening yet."""
    settings = core.config.api
    app = build_app(
        core.services,
        settings,
        public_url=core.config.server.public_url,
        version=version("emailrouter"),
        meter=core.meter,
    )
    keepalive = settings.keepalive_timeout.total_seconds()
    if settings.listen == "systemd":
        return ApiServer(app, systemd=True, keepalive_timeout=keepalive)
    return ApiServer(app, host=settings.listen.host, port=settings.listen.port, keepalive_timeout=keepalive)

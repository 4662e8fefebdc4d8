"""The HTTP door of a process: REST and dashboard. Called by `emailrouter.assembly.build`."""

from __future__ import annotations

from importlib.metadata import version

from api.app import build_app
from api.server import ApiServer
from config.schema import Config
from router.meter import Meter
from router.services import Services


def server(config: Config, services: Services, meter: Meter) -> ApiServer:
    """Not listening yet."""
    app = build_app(
        services, config.api, public_url=config.server.public_url, version=version("emailrouter"), meter=meter
    )
    listen = config.api.listen
    keepalive = config.api.keepalive_timeout.total_seconds()
    if listen == "systemd":
        return ApiServer(app, systemd=True, keepalive_timeout=keepalive)
    return ApiServer(app, host=listen.host, port=listen.port, keepalive_timeout=keepalive)

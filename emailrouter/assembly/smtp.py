"""Builds the SMTP server."""

from __future__ import annotations

from config.schema import Config
from emailrouter.assembly.core import Core
from router.dns.resolver import DnsResolver
from smtp.server import Server


def build_server(core: Core) -> Server:
    config = core.config
    server = Server(
        config.smtp,
        config.server.hostname,
        core.routing_cache,
        core.accept,
        core.clock,
        resolver=_block_list_resolver(config),
        reuse_port=config.smtp.reuse_port,
        meter=core.meter,
        side_tasks=core.side_tasks,
    )
    core.listening_smtp = lambda: server.addresses
    return server


def _block_list_resolver(config: Config) -> DnsResolver | None:
    if not config.smtp.dnsbl:
        return None
    return DnsResolver([(server.host, server.port) for server in config.dns.nameservers])

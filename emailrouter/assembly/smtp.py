"""Builds the SMTP server."""

from __future__ import annotations

from config.schema import Config
from emailrouter.assembly.core import Core
from router.checks.relays import Relays
from router.dns.resolver import DnsResolver
from router.ports import NullPrefetch, SenderPrefetch
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
        senders=_build_prefetch(core),
    )
    core.listening_smtp = lambda: server.addresses
    return server


def _build_prefetch(core: Core) -> SenderPrefetch:
    if not core.config.checks.enabled:
        return NullPrefetch()
    from router.checks.prefetch import DnsPrefetch  # noqa: PLC0415 - only if senders are checked

    relays = Relays(core.config.checks.relays, core.config.smtp.trusted_networks)
    return DnsPrefetch(core.dns_cache, relays, core.clock)


def _block_list_resolver(config: Config) -> DnsResolver | None:
    if not config.smtp.dnsbl:
        return None
    return DnsResolver([(server.host, server.port) for server in config.dns.nameservers])

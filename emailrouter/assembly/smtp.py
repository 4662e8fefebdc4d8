"""The SMTP door of a process. Called by `emailrouter.assembly.build`."""

from __future__ import annotations

from config.schema import Config
from router.clock import Clock
from router.dns.resolver import DnsResolver
from router.meter import Meter
from router.ports import Acceptor, Recipients
from router.side_tasks import SideTasks
from smtp.server import Server


def server(
    config: Config, recipients: Recipients, acceptor: Acceptor, clock: Clock, meter: Meter, *, side_tasks: SideTasks
) -> Server:
    """Not listening yet."""
    return Server(
        config.smtp,
        config.server.hostname,
        recipients,
        acceptor,
        clock,
        resolver=_block_list_resolver(config),
        reuse_port=config.smtp.reuse_port,
        meter=meter,
        side_tasks=side_tasks,
    )


def _block_list_resolver(config: Config) -> DnsResolver | None:
    """Asked about senders only where block lists are set."""
    if not config.smtp.dnsbl:
        return None
    return DnsResolver([(server.host, server.port) for server in config.dns.nameservers])

"""The checks that decide whether other mail servers can reach this host. The dashboard runs them.

They change nothing, and use no file or key that an API process may not read, except the certificate.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Collection, Sequence
from ipaddress import IPv4Address, IPv6Address

from config.schema import Config
from emailrouter.assembly.core import AnyDatabase
from emailrouter.check import certificate, clock, dns_records, ports, settings
from emailrouter.check.check_context import CheckContext
from emailrouter.check.execution import Check, run_check
from router.check_result import CheckResult
from router.clock import Clock
from router.dns.resolver import DnsFailure, DnsRecords, DnsResolver
from router.network import parse_address

# In the order of display.
CHECKS: tuple[Check, ...] = (
    settings.configuration,  # names the file that the fixes of the others change
    dns_records.hostname,
    ports.smtp_port,
    certificate.certificate,
    settings.public_url,
    clock.clock,
)
CHECK_SECONDS = 6.0  # a page waits for the results


class OutsideView:
    """Implements `router.admin.installation.reachability.HostChecks`."""

    def __init__(
        self,
        config: Config,
        resolver: DnsResolver,
        clock: Clock,
        database: AnyDatabase,
        listening_smtp: Callable[[], Sequence[str]],
    ) -> None:
        # None of these checks connects with TLS, so the certificates of authorities are not loaded.
        tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context = CheckContext(
            config, resolver, clock, database, tls_context=tls_context, listening_smtp=listening_smtp
        )
        self._hosts = {config.server.hostname, *(mx.host for mx in config.server.mx_hosts)}

    @property
    def is_loopback_only(self) -> bool:
        return ports.accepts_loopback_only(self._context)

    @property
    def receivers(self) -> Collection[str]:
        return self._hosts - ({self._context.config.server.hostname} if self.is_loopback_only else set())

    async def run(self) -> Sequence[CheckResult]:
        found = await asyncio.gather(*(run_check(check, self._context, CHECK_SECONDS) for check in CHECKS))
        return [result for results in found for result in results]

    async def find_own_addresses(self) -> Collection[IPv4Address | IPv6Address] | None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                answers = await asyncio.gather(*map(self._context.resolver.query_addresses, self._hosts))
        except TimeoutError:
            return None
        if any(isinstance(answer, DnsFailure) for answer in answers):
            return None
        values = [value for answer in answers if isinstance(answer, DnsRecords) for value in answer.values]
        return {address for value in values if (address := parse_address(value)) is not None}

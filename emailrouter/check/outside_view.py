"""The checks that decide whether other mail servers can reach this host. The dashboard runs them.

They change nothing, and use no file or key that an API process may not read, except the certificate.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from config.schema import Config
from emailrouter.assembly.core import AnyDatabase
from emailrouter.check import certificate, dns_records, ports, settings, storage
from emailrouter.check.check_context import CheckContext
from emailrouter.check.execution import Check, run_check
from router.check_result import CheckResult
from router.clock import Clock
from router.dns.resolver import DnsResolver

# In the order of display.
CHECKS: tuple[Check, ...] = (
    dns_records.hostname,
    ports.smtp_port,
    certificate.certificate,
    settings.public_url,
    storage.clock,
)
CHECK_SECONDS = 6.0  # a page waits for the results


class OutsideView:
    """Implements `router.admin.installation.reachability.HostChecks`."""

    def __init__(self, config: Config, resolver: DnsResolver, clock: Clock, database: AnyDatabase) -> None:
        # None of these checks connects with TLS, so the certificates of authorities are not loaded.
        tls_context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._context = CheckContext(config, resolver, clock, database, tls_context=tls_context)
        self.is_loopback_only = ports.accepts_loopback_only(config)

    async def run(self) -> Sequence[CheckResult]:
        found = await asyncio.gather(*(run_check(check, self._context, CHECK_SECONDS) for check in CHECKS))
        return [result for results in found for result in results]

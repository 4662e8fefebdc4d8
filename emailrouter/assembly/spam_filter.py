"""Builds the client of rspamd from the configuration."""

from __future__ import annotations

from config.schema import Config
from router.checks.rspamd import RspamdClient
from router.meter import Meter
from router.side_tasks import SideTasks


def build_spam_filter(config: Config, meter: Meter, side_tasks: SideTasks | None = None) -> RspamdClient | None:
    """Returns None if messages are not checked for spam. The caller closes the client."""
    checks = config.checks
    if not checks.enabled or checks.rspamd_url is None:
        return None
    return RspamdClient(
        checks.rspamd_url,
        None if checks.rspamd_password is None else checks.rspamd_password.reveal(),
        meter,
        timeout=checks.effective_rspamd_timeout.total_seconds(),
        max_bytes=checks.rspamd_max_bytes,
        mta_name=config.server.hostname,
        side_tasks=side_tasks,
    )

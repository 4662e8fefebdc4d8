"""Checks settings that are valid but rarely intended, and the permissions of the configuration file."""

from __future__ import annotations

import stat
from urllib.parse import urlsplit

from emailrouter import assembly
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.network import is_loopback


async def configuration(context: CheckContext) -> list[CheckResult]:
    config = context.config
    source = str(config.source.absolute()) if config.source is not None else "the built-in defaults and the environment"
    results = [ok("configuration", f"read from {source}")]
    if config.source is not None:
        mode = config.source.stat().st_mode
        holds_secret = config.server.secret_key is not None or ":***@" in str(config.database.url)
        if mode & stat.S_IWOTH:
            results.append(fail("permissions", f"{source} is writable by every user", f"chmod o-w {source}"))
        if mode & stat.S_IROTH and holds_secret:
            fix = f"chmod 640 {source}, and assign it to the group of the program: chgrp emailrouter {source}"
            results.append(warn("permissions", f"{source} contains secrets and is readable by every user", fix))
    if config.delivery.allow_private_networks:
        fix = "Set [delivery] allow_private_networks = false, unless the webhooks are on your own servers"
        results.append(warn("webhooks", "webhooks may point to private networks", fix))
    if config.api.listen != "systemd" and not is_loopback(config.api.listen.host):
        fix = "Set [api] listen to 127.0.0.1 behind a TLS proxy, or close the port in the firewall"
        results.append(warn("api port", f"the API listens on {config.api.listen} without TLS", fix))
    if config.metrics.listen is not None and not is_loopback(config.metrics.listen.host):
        fix = "Restrict the port to the monitoring server in the firewall, or set [metrics] listen to 127.0.0.1"
        results.append(
            warn("metrics port", f"the metrics are served on {config.metrics.listen} without authentication", fix)
        )
    return results


async def public_url(context: CheckContext) -> list[CheckResult]:
    config, name = context.config, "public url"
    if assembly.link_base(config) is None:
        fix = 'Set [server] public_url to the public address of the dashboard, like "https://tickets.example.com"'
        return [warn(name, "public_url is a loopback address: posted messages have no link to their ticket", fix)]
    if urlsplit(config.server.public_url).scheme != "https":
        fix = "Put a TLS proxy in front of the API, and set [server] public_url to its https:// address"
        return [warn(name, "public_url is http://: passwords and keys are sent unencrypted", fix)]
    return [ok(name, f"the dashboard is at {config.server.public_url}")]

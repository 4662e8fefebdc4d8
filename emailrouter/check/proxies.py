"""Checks that the proxy in front of the API is in `[api] trusted_proxies`.

Uses only the configuration. Received `X-Forwarded-For` fields prove nothing, because any client can send them.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok, warn
from router.network import is_loopback, parse_address

NAME = "proxy"


async def trusted_proxies(context: CheckContext) -> list[CheckResult]:
    api, public = context.config.api, urlsplit(context.config.server.public_url)
    # With systemd's sockets, the listen address is unknown, because the socket unit sets it.
    loopback = api.listen.host if api.listen != "systemd" and is_loopback(api.listen.host) else ""
    if public.scheme != "https" and (not loopback or is_loopback(public.hostname or "")):
        return []
    peer = parse_address("127.0.0.1" if loopback == "localhost" else loopback)
    networks = api.trusted_proxies
    if networks and (peer is None or any(peer.version == network.version and peer in network for network in networks)):
        return [ok(NAME, f"[api] trusted_proxies contains {', '.join(map(str, networks))}")]
    problem = f"does not contain {peer}, the address of the proxy" if networks and peer else "is empty"
    fix = (
        'Set [api] trusted_proxies to the address of the proxy, like ["127.0.0.1/32", "::1/128"], '
        "and configure the proxy to send X-Forwarded-For and X-Forwarded-Proto "
        "(docs/reverse-proxy.md)"
    )
    text = (
        f"{public.geturl()} is served by a proxy, but [api] trusted_proxies {problem}: all clients count as one address"
    )
    return [warn(NAME, text, fix)]

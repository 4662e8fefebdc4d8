"""The address and scheme of the client, from the connection or from headers of trusted proxies."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address

from aiohttp import web

from config.values import Network
from router.network import parse_address

_MAX_HOPS = 20


def client_address(request: web.Request, trusted: Sequence[Network]) -> str:
    """The nearest address that is not a trusted proxy; otherwise the most distant known proxy.

    `""` for a Unix socket and for a closed connection.
    """
    nearest = peer_address(request.transport)
    if nearest is None:
        return ""
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", ())).rsplit(",", _MAX_HOPS)
    for hop in reversed(forwarded[-_MAX_HOPS:]):
        if not is_in(nearest, trusted):
            break
        previous = parse_address(hop.strip())
        if previous is None:
            break
        nearest = previous
    return str(nearest)


def is_https(request: web.Request, trusted: Sequence[Network]) -> bool:
    nearest = peer_address(request.transport)
    if nearest is not None and is_in(nearest, trusted):
        return request.headers.get("X-Forwarded-Proto", "").strip().lower() == "https"
    return request.secure


def peer_address(transport: asyncio.BaseTransport | None) -> IPv4Address | IPv6Address | None:
    """The peer address of a TCP connection; None for a Unix socket or a closed connection."""
    peer = transport.get_extra_info("peername") if transport is not None else None
    return parse_address(str(peer[0])) if isinstance(peer, tuple) else None


def is_in(address: IPv4Address | IPv6Address, networks: Sequence[Network]) -> bool:
    return any(address.version == network.version and address in network for network in networks)

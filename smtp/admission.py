"""Determines, before the greeting, the client's address and whether the client may connect."""

from __future__ import annotations

import structlog

from router.network import parse_address
from smtp import proxy, replies
from smtp.context import ServerContext
from smtp.proxy import ProxyError
from smtp.replies import Reply
from smtp.transport import Transport

_log = structlog.get_logger()


def canonical_address(host: str) -> str:
    """Returns an IP address without its scope ID, and an IPv4-mapped IPv6 address as IPv4.

    Other text is returned unchanged.
    """
    return str(parse_address(host) or host)


async def resolve_client_address(transport: Transport, context: ServerContext, peer: str) -> str | None:
    """Returns `peer`, or the client address that a trusted proxy reports in a PROXY header.

    Returns None if the header is missing or invalid. The connection must then be closed without a reply.
    """
    if not context.expects_proxy or peer not in context.limits.trusted:
        return peer
    try:
        header = await transport.read_header(proxy.parse_header)
    except ProxyError as error:
        _log.warning("smtp.proxy_header_invalid", peer=peer, reason=str(error))
        return None
    if header is None:
        return None
    return peer if header.source is None else canonical_address(header.source)


def admit(context: ServerContext, peer: str) -> Reply | None:
    limits = context.limits
    if limits.connections_exceeded:
        refusal, network = replies.TOO_MANY_CONNECTIONS, ""
    else:
        _log.debug("smtp.client_connected", peer=peer)  # before the connection is counted, because logging may fail
        exhausted_network = limits.admit(peer)
        if exhausted_network is None:
            return None
        refusal, network = replies.TOO_MANY_FROM_ADDRESS, exhausted_network
    context.network_refusals.add_connection(context.meter, refusal, peer, network)
    return refusal

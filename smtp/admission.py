"""Before the greeting: whose connection it is, and whether it may have one more."""

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
    """An address as counters, logs and the trace header have it: IPv4 never mapped into IPv6."""
    return str(parse_address(host) or host)


async def client_address(transport: Transport, context: ServerContext, peer: str) -> str | None:
    """The address of the client behind a trusted proxy, or of the peer itself.

    Returns None for a proxy whose header is missing or wrong: such a connection is closed without a
    reply, because nobody knows who would read it.
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
    """Counts the connection for its networks, or returns the reply if there are too many."""
    limits = context.limits
    if limits.connections_exceeded:
        refused, network = replies.TOO_MANY_CONNECTIONS, ""
    else:
        _log.debug("smtp.client_connected", peer=peer)  # first: if it fails, nothing is counted
        full = limits.admit(peer)
        if full is None:
            return None
        refused, network = replies.TOO_MANY_FROM_ADDRESS, full
    context.network_refusals.add_connection(context.meter, refused, peer, network)
    return refused

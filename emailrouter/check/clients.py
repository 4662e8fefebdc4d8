"""Checks that the addresses of clients are visible: that not nearly all messages come from one private address.

The bridge network of a container, NAT and a TCP proxy without the PROXY protocol replace the address of each client
with their own. Limits by address, block lists and blocked senders then apply to all clients together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok, warn
from router.network import parse_address

NAME = "clients"
NEWEST = 100
MIN_MESSAGES = 20  # fewer may all be tests from the same network
MIN_SHARE = 0.95


async def clients(context: CheckContext) -> list[CheckResult]:
    if context.database is None:
        return []
    rows = await context.database.fetch_all("check_newest_peers", limit=NEWEST)
    peers = [row["peer"] for row in rows]
    front = find_gateway(peers)
    if front is None:
        return [ok(NAME, f"the newest {len(peers)} messages came from {len(set(peers))} addresses")] if peers else []
    text = (
        f"at least {MIN_SHARE:.0%} of the newest {len(peers)} messages came from {front}, a private address: "
        "if it is a gateway or a proxy, limits by address and block lists apply to all clients together"
    )
    fix = (
        "In a container, use the network of the host (docs/install-image.md); behind a proxy, set "
        "[smtp] proxy_protocol and trusted_networks. A relay of your own that adds no PROXY header is no error"
    )
    return [warn(NAME, text, fix)]


def find_gateway(peers: Sequence[str]) -> str | None:
    """Returns the private address from which nearly all of these messages came, or None."""
    if len(peers) < MIN_MESSAGES:
        return None
    peer, count = Counter(peers).most_common(1)[0]
    address = parse_address(peer)
    if count < MIN_SHARE * len(peers) or address is None or address.is_global or address.is_loopback:
        return None
    return peer

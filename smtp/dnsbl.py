"""DNS block lists (RFC 5782): whether the lists of the settings name a client's address.

Asked when a client connects, all lists at once, while the session goes on; the answer is needed at the first RCPT. A
list that is away, slow, or answers nonsense lists nobody: a mail is never lost to somebody else's DNS.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog
from dns.exception import DNSException

from router.network import parse_address

_log = structlog.get_logger()

_PATIENCE = 5.0  # seconds for all lists together; a client waits minutes for the reply to RCPT (RFC 5321 4.5.3.2.3)
_LISTED = ipaddress.ip_network("127.0.0.0/8")  # RFC 5782 2.1
_COMPLAINT = ipaddress.ip_network("127.255.255.0/24")  # what large lists answer to a resolver they do not serve


class Resolver(Protocol):
    """The records of a name, as text; none, or DNSException, when there are none."""

    async def resolve(self, qname: str, rdtype: str, /) -> Iterable[object]: ...


class BlockLists:
    """zones: `zen.example.org`, ... in the order of preference for the log."""

    def __init__(self, zones: Sequence[str], resolver: Resolver) -> None:
        self._zones = tuple(zones)
        self._resolver = resolver

    async def listing(self, address: str) -> str:
        """The first list that names the address; `""` for none, and for our own machine. Never raises."""
        name = _query_name(address)
        if name is None:
            return ""
        asked = [asyncio.ensure_future(self._lists(zone, name)) for zone in self._zones]
        try:
            await asyncio.wait(asked, timeout=_PATIENCE)
            answers = [task.done() and task.result() for task in asked]
        finally:
            for task in asked:
                task.cancel()
        return next((zone for zone, lists in zip(self._zones, answers, strict=True) if lists), "")

    async def _lists(self, zone: str, name: str) -> bool:
        try:
            records = await self._resolver.resolve(f"{name}.{zone}.", "A")
            return any(_means_listed(str(record)) for record in records)
        except DNSException:  # NXDOMAIN is how a list says no; a timeout or SERVFAIL says nothing
            return False
        except Exception:  # noqa: BLE001 - a resolver that breaks must not cost a mail
            _log.exception("smtp.dnsbl_fault", zone=zone)
            return False


def _query_name(text: str) -> str | None:
    """RFC 5782 sections 2.1 and 2.4: the octets or nibbles, turned round."""
    address = parse_address(text)
    if address is None or address.is_loopback:
        return None
    return address.reverse_pointer.rsplit(".", 2)[0]  # without in-addr.arpa or ip6.arpa


def _means_listed(record: str) -> bool:
    address = parse_address(record)
    return isinstance(address, ipaddress.IPv4Address) and address in _LISTED and address not in _COMPLAINT

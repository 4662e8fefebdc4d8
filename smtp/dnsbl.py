"""Checks whether a DNS block list (RFC 5782) contains the client's address.

The session continues during the queries, and RCPT waits for the result. A slow or failing list never
causes a rejection.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterable, Sequence
from typing import Protocol

import structlog
from dns.exception import DNSException

from router.network import parse_address
from smtp.bounds import Bounds

_log = structlog.get_logger()

_LISTED = ipaddress.ip_network("127.0.0.0/8")  # records that mean that an address is listed (RFC 5782)
# Spamhaus returns these addresses for errors, such as a query through a public resolver.
_QUERY_REFUSED = ipaddress.ip_network("127.255.255.0/24")


class BlockListResolver(Protocol):
    """A DNS resolver. For a name without records, it returns no records or raises DNSException."""

    async def resolve(self, qname: str, rdtype: str, /) -> Iterable[object]: ...


class BlockLists:
    """The block lists of a server.

    Args:
        zones: The DNS zones of the lists, such as `zen.example.org`.
        timeout: Seconds for all lists together.
    """

    def __init__(
        self, zones: Sequence[str], resolver: BlockListResolver, timeout: float = Bounds.block_list_timeout
    ) -> None:
        self._zones = tuple(zones)
        self._resolver = resolver
        self._timeout = timeout

    async def find_listing(self, address: str) -> str:
        """Returns the first zone that lists the address, or `""`. A failed query does not raise."""
        name = _query_name(address)
        if name is None:
            return ""
        queries = [asyncio.ensure_future(self._is_listed(zone, name)) for zone in self._zones]
        try:
            await asyncio.wait(queries, timeout=self._timeout)
            answers = [query.done() and query.result() for query in queries]
        finally:
            for query in queries:
                query.cancel()
        return next((zone for zone, listed in zip(self._zones, answers, strict=True) if listed), "")

    async def _is_listed(self, zone: str, name: str) -> bool:
        try:
            records = await self._resolver.resolve(f"{name}.{zone}.", "A")
            return any(_is_listing_record(str(record)) for record in records)
        except DNSException:  # such as NXDOMAIN or a timeout
            return False
        except Exception:  # noqa: BLE001 - a failing resolver must not reject mail
            _log.exception("smtp.dnsbl_internal_error", zone=zone)
            return False


def _query_name(text: str) -> str | None:
    """Returns the reversed address (RFC 5782 2.1, 2.4), or None if the address is not queried."""
    address = parse_address(text)
    if address is None or address.is_loopback:
        return None
    return address.reverse_pointer.rsplit(".", 2)[0]  # without in-addr.arpa or ip6.arpa


def _is_listing_record(record: str) -> bool:
    address = parse_address(record)
    return isinstance(address, ipaddress.IPv4Address) and address in _LISTED and address not in _QUERY_REFUSED

"""DNS server of `emailrouter demo`: answers UDP queries on 127.0.0.1 from its records."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

_TTL = 1  # seconds


class DemoDns(asyncio.DatagramProtocol):
    """A DNS server. `dns.add("example.org", "MX", "10 mx1.example.org.")` adds a record."""

    def __init__(self) -> None:
        self.address = ""  # `127.0.0.1:port`, the format of `[dns] nameservers`
        self._records: dict[tuple[dns.name.Name, dns.rdatatype.RdataType], dns.rrset.RRset] = {}
        self._transport: asyncio.DatagramTransport | None = None

    def add(self, name: str, rdtype: str, value: str) -> None:
        """Adds a record, in place of the one with this name and type, if any. `value` is in zone-file format."""
        owner = dns.name.from_text(name).canonicalize()
        self._records[owner, dns.rdatatype.from_text(rdtype)] = dns.rrset.from_text(owner, _TTL, "IN", rdtype, value)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport
        self.address = "{}:{}".format(*transport.get_extra_info("sockname"))

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            query = dns.message.from_wire(data)
            question = query.question[0]
        except (dns.exception.DNSException, IndexError):
            return  # malformed, or without a question
        name = question.name.canonicalize()
        response = dns.message.make_response(query, recursion_available=True)
        if records := self._records.get((name, question.rdtype)):
            response.answer.append(records)
        elif not any(owner.is_subdomain(name) for owner, _ in self._records):  # RFC 8020: parent names exist too
            response.set_rcode(dns.rcode.NXDOMAIN)
        if self._transport is not None:
            self._transport.sendto(response.to_wire(), addr)


@asynccontextmanager
async def run_dns() -> AsyncIterator[DemoDns]:
    transport, server = await asyncio.get_running_loop().create_datagram_endpoint(DemoDns, local_addr=("127.0.0.1", 0))
    try:
        yield server
    finally:
        transport.close()

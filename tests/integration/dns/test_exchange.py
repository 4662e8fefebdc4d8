"""Queries to name servers that do not support EDNS, return malformed responses or do not respond."""

import asyncio
import struct
from collections.abc import AsyncIterator, Callable

import pytest
from dns import rdatatype
from hypothesis import given, settings
from hypothesis import strategies as st

from router.dns.exchange import MAX_RECORDS
from router.dns.resolver import DnsFailure, DnsRecords, DnsResolver, MxRecord, NoDnsRecord
from tests.support.dns import DnsStandIn, EdnsFailure
from tests.unit.dns.wire import build_response

EDNS_FAILURES: tuple[EdnsFailure, ...] = ("FORMERR", "NOTIMP", "SERVFAIL", "BADVERS", "SILENT")
Respond = Callable[[bytes], list[bytes]]


@pytest.fixture
async def dns() -> AsyncIterator[DnsStandIn]:
    async with DnsStandIn() as server:
        yield server


class RawDnsServer(asyncio.DatagramProtocol):
    """A UDP server that answers each datagram with those that `respond` returns."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self._transport is not None
        for reply in self._respond(data):
            self._transport.sendto(reply, addr)


async def query_raw(respond: Respond, *, timeout: float = 5) -> DnsRecords[MxRecord] | DnsFailure:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: RawDnsServer(respond), local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        found = await DnsResolver([("127.0.0.1", port)], timeout=timeout, lifetime=timeout).query_mx("a.test")
        assert isinstance(found, DnsRecords | DnsFailure)
        return found
    finally:
        transport.abort()


def valid_response(query: bytes, *, message_id: int | None = None) -> bytes:
    head = struct.pack(
        "!6H", int.from_bytes(query[:2], "big") if message_id is None else message_id, 0x8180, 1, 1, 0, 0
    )
    return head + query[12:24] + b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 60, 6) + b"\x00\x0a\x02mx\x00"


@pytest.mark.parametrize("failure", EDNS_FAILURES)
async def test_server_without_edns_support_is_queried_without_it(dns: DnsStandIn, failure: EdnsFailure) -> None:
    dns.edns_failure = failure
    dns.set("a.test", "MX", "10 b.test.")
    dns.set("big.test", "TXT", *(f"{n:04}" + "x" * 200 for n in range(30)))
    resolver = DnsResolver([("127.0.0.1", dns.port)], timeout=2, lifetime=10)
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    assert dns.edns_queries == 1
    assert [server.skips_edns for server in resolver.servers.current_servers()] == [True]
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    big = await resolver.query_txt("big.test")
    assert isinstance(big, DnsRecords)
    assert len(big.values) == 30
    assert dns.edns_queries == 1, "the server's lack of EDNS support is remembered"


async def test_error_for_a_name_does_not_disable_edns(dns: DnsStandIn) -> None:
    dns.set("a.test", "MX", "10 b.test.")
    dns.fail("broken.test", "SERVFAIL")
    resolver = DnsResolver([("127.0.0.1", dns.port)], timeout=5, lifetime=10)
    assert await resolver.query_mx("broken.test") == DnsFailure("the name servers returned an error (SERVFAIL)")
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
    assert dns.edns_queries == 2
    assert [server.skips_edns for server in resolver.servers.current_servers()] == [False]


async def test_each_server_has_its_own_edns_state(dns: DnsStandIn) -> None:
    async with DnsStandIn() as second:
        second.edns_failure = "FORMERR"
        second.set("a.test", "MX", "10 b.test.")
        resolver = DnsResolver([("127.0.0.1", dns.port), ("127.0.0.1", second.port)], timeout=5, lifetime=10)
        (alternate,) = resolver.alternates
        assert await alternate.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
        assert not any(server.skips_edns for server in resolver.servers.current_servers())


async def test_next_server_is_queried_after_an_error(dns: DnsStandIn) -> None:
    async with DnsStandIn() as second:
        dns.fail("a.test", "REFUSED")
        second.set("a.test", "MX", "10 b.test.")
        resolver = DnsResolver([("127.0.0.1", dns.port), ("127.0.0.1", second.port)], timeout=5, lifetime=10)
        assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))
        second.fail("a.test", "SERVFAIL")
        assert await resolver.query_mx("a.test") == DnsFailure("the name servers returned an error (REFUSED, SERVFAIL)")


async def test_datagrams_that_do_not_match_the_query_are_ignored() -> None:
    def respond(query: bytes) -> list[bytes]:
        message_id = int.from_bytes(query[:2], "big")
        return [
            b"",
            b"\x00",
            query,
            valid_response(query, message_id=message_id ^ 1),
            valid_response(query[:13] + b"b" + query[14:]),
            query[:2] + b"\x83\x80\x00\x01\x00\x00\x00\x00\x00\x00" + query[12:13] + b"b" + query[14:24],
            valid_response(query),
        ]

    assert await query_raw(respond) == DnsRecords((MxRecord(10, "mx"),))


@pytest.mark.parametrize(
    "respond",
    [
        lambda query: [valid_response(query)[:-1]],
        lambda query: [query[:2] + b"\x81\x80\x00\x01\x00\x01\x00\x00\x00\x00" + b"\xff" * 40],
        lambda query: [valid_response(query)[:-3] + b"\xff\xff\xff"],
    ],
)
async def test_malformed_responses(respond: Respond) -> None:
    assert await query_raw(respond) == DnsFailure("the name servers returned a malformed response")


async def test_truncated_response_without_tcp() -> None:
    def respond(query: bytes) -> list[bytes]:
        return [query[:2] + b"\x83\x80\x00\x01\x00\x00\x00\x00\x00\x00" + query[12:24]]

    assert await query_raw(respond) == DnsFailure(
        "the response is too large for UDP, and the name servers do not respond over TCP"
    )


async def test_no_response() -> None:
    assert await query_raw(lambda _: [], timeout=0.2) == DnsFailure("no name server responded within 0.2 s")


async def test_unreachable_server() -> None:
    resolver = DnsResolver([("127.0.0.1", 1)], timeout=5, lifetime=60)
    assert await resolver.query_mx("a.test") == DnsFailure("the name servers cannot be reached")


@pytest.mark.parametrize(
    ("kind", "rdata"),
    [
        ("A", b"\x01\x02\x03"),
        ("AAAA", b"\x01" * 17),
        ("MX", b""),
        ("MX", b"\x00\x0a"),
        ("MX", b"\x00\x0a\xff\xff"),
        ("MX", b"\x00\x0a\xc0"),
        ("MX", b"\x00\x0a\xc0\x26"),  # a pointer to its own position
        ("MX", b"\x00\x0a\x03mx"),
        ("MX", b"\x00\x0a\x00rest"),
        ("MX", b"\x00\x0a\x40x\x00"),
        ("MX", b"\x00\x0a" + (b"\x3f" + b"x" * 63) * 4 + b"\x00"),
        ("TXT", b"\x05abc"),
        ("TSIG", b"\x00" * 17),
        ("LOC", b"\x00" + b"\xff" * 15),
        ("APL", b"\x00\x01\xff\x7f"),
    ],
)
async def test_malformed_records(kind: str, rdata: bytes) -> None:
    record_type = int(rdatatype.from_text(kind))
    found = await query_raw(lambda query: [build_response(query, record_type, rdata)])
    assert found == DnsFailure("the name servers returned a malformed response")


async def test_cname_chain(dns: DnsStandIn) -> None:
    dns.set("a.test", "CNAME", "b.test.", ttl=60)
    dns.set("b.test", "CNAME", "C.test.", ttl=7)
    dns.set("c.test", "MX", "10 MX.test.", ttl=60)
    resolver = DnsResolver([("127.0.0.1", dns.port)], timeout=5, lifetime=10)
    found = await resolver.query_mx("A.test")
    assert found == DnsRecords((MxRecord(10, "mx.test"),), "c.test")
    assert isinstance(found, DnsRecords)
    assert found.ttl == 7
    assert await resolver.query_txt("a.test") == NoDnsRecord(alias="c.test")


@pytest.mark.parametrize("length", [1, 2, 30])
async def test_cname_loop(length: int) -> None:
    def respond(query: bytes) -> list[bytes]:
        names = [query[12:20], *(bytes([3]) + b"%03d" % n + b"\x00" for n in range(1, length))]
        links = zip(names, [*names[1:], names[0]], strict=True)
        records = [owner + struct.pack("!HHIH", 5, 1, 60, len(target)) + target for owner, target in links]
        return [build_response(query, 5, count=length) + b"".join(records)]

    assert await query_raw(respond) == DnsFailure("the name servers returned a malformed response")


async def test_too_many_records() -> None:
    def respond(query: bytes) -> list[bytes]:
        return [build_response(query, 15, *(struct.pack("!HBcB", n, 1, b"m", 0) for n in range(MAX_RECORDS)))]

    assert await query_raw(respond) == DnsFailure("the response contains too many records")


@given(st.binary(max_size=60), st.booleans())
@settings(max_examples=50)
def test_no_response_makes_a_query_raise(data: bytes, keeps_id: bool) -> None:
    def respond(query: bytes) -> list[bytes]:
        return [query[:2] + b"\x81\x80" + data if keeps_id else data, valid_response(query)]

    assert isinstance(asyncio.run(query_raw(respond)), DnsRecords | DnsFailure)

"""`DnsResolver.query`: answers of name servers that are slow, lie, truncate, loop or fail."""

import asyncio
import struct
from collections.abc import AsyncIterator

import pytest
from dns import rdatatype

from router.dns import exchange
from router.dns.answers import AnswerFault, DnsAnswer, RecordType
from router.dns.exchange import MAX_RECORDS
from router.dns.resolver import MAX_TXT_BYTES, DnsResolver
from tests.integration.dns.test_exchange import RawDnsServer, Respond
from tests.support.dns import DnsStandIn, Failure
from tests.unit.dns.wire import build_response


@pytest.fixture
async def dns() -> AsyncIterator[DnsStandIn]:
    async with DnsStandIn() as server:
        yield server


def resolver_for(port: int, *, lifetime: float = 5) -> DnsResolver:
    return DnsResolver([("127.0.0.1", port)], timeout=lifetime, lifetime=lifetime)


async def query_raw(respond: Respond, record_type: RecordType, *, lifetime: float = 5) -> DnsAnswer:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: RawDnsServer(respond), local_addr=("127.0.0.1", 0))
    try:
        port = transport.get_extra_info("sockname")[1]
        return await resolver_for(port, lifetime=lifetime).query("a.test", record_type)
    finally:
        transport.abort()


async def test_records(dns: DnsStandIn) -> None:
    dns.set("a.test", "TXT", "v=spf1 -all", "x" * 3000, "y" * (MAX_TXT_BYTES + 1), ttl=7)
    dns.set("a.test", "MX", "10 B.test.", "0 .", ttl=60)
    dns.set("a.test", "A", "192.0.2.2", "192.0.2.1")
    dns.set("a.test", "AAAA", "2001:db8:0::1")
    dns.set("192.0.2.1", "PTR", "Mail.A.test.")
    dns.set("many.test", "TXT", *(f"{n}" for n in range(150)))
    query = resolver_for(dns.port).query
    assert await query("A.test", "TXT") == DnsAnswer("found", ("v=spf1 -all", "x" * 3000, "y" * MAX_TXT_BYTES), ttl=7)
    assert await query("a.test.", "MX") == DnsAnswer("found", ("0 ", "10 b.test"), ttl=60)
    assert await query("a.test", "A") == DnsAnswer("found", ("192.0.2.1", "192.0.2.2"), ttl=1)
    assert await query("a.test", "AAAA") == DnsAnswer("found", ("2001:db8::1",), ttl=1)
    assert await query("1.2.0.192.in-addr.arpa", "PTR") == DnsAnswer("found", ("mail.a.test",), ttl=1)
    assert len((await query("many.test", "TXT")).values) == 150


async def test_bytes_of_txt_records_are_kept() -> None:
    data = bytes(range(256))
    rdata = b"\xff" + data[:255] + b"\x01" + data[255:]
    answer = await query_raw(lambda query: [build_response(query, rdatatype.TXT, rdata)], "TXT")
    assert answer.values == (data.decode("latin-1"),)


async def test_missing_records_and_missing_names(dns: DnsStandIn) -> None:
    dns.set("a.test", "A", "192.0.2.1")
    dns.set("alias.test", "CNAME", "a.test.")
    dns.set("dangling.test", "CNAME", "gone.test.")
    query = resolver_for(dns.port).query
    assert await query("a.test", "TXT") == await query("alias.test", "TXT") == DnsAnswer("no_data")
    assert await query("b.test", "TXT") == await query("dangling.test", "TXT") == DnsAnswer("no_domain")
    assert (await query("alias.test", "A")).values == ("192.0.2.1",)


@pytest.mark.parametrize("name", ["", ".", "a..test", ".a.test", "ü.test", f"{'a' * 64}.test", f"{'a.' * 130}test"])
async def test_names_that_dns_cannot_contain(dns: DnsStandIn, name: str) -> None:
    assert await resolver_for(dns.port).query(name, "A") == DnsAnswer("no_domain")
    assert dns.queries == []


async def test_names_are_literal(dns: DnsStandIn) -> None:
    dns.set(r"a\\b\046\"c.test", "A", "192.0.2.1")
    assert (await resolver_for(dns.port).query(r"a\b.\"c.test", "A")).status == "no_domain"
    dns.set(r"a\\\"b\ c.test", "A", "192.0.2.1")
    assert (await resolver_for(dns.port).query(r"a\"b c.test", "A")).status == "found"


@pytest.mark.parametrize(
    ("failure", "fault"), [("SERVFAIL", "refused"), ("REFUSED", "refused"), ("TIMEOUT", "timeout")]
)
async def test_failures(dns: DnsStandIn, failure: Failure, fault: AnswerFault) -> None:
    dns.fail("a.test", failure)
    assert await resolver_for(dns.port, lifetime=0.3).query("a.test", "TXT") == DnsAnswer("failed", fault=fault)


async def test_slow_server(dns: DnsStandIn) -> None:
    dns.set("a.test", "TXT", "x")
    dns.delay("a.test", 3)
    assert await resolver_for(dns.port, lifetime=0.2).query("a.test", "TXT") == DnsAnswer("failed", fault="timeout")


async def test_unreachable_server() -> None:
    assert await resolver_for(1).query("a.test", "TXT") == DnsAnswer("failed", fault="timeout")


async def test_truncated_responses(dns: DnsStandIn) -> None:
    dns.set("a.test", "TXT", "x")
    dns.fail("a.test", "TRUNCATED")
    assert (await resolver_for(dns.port).query("a.test", "TXT")).values == ("x",)
    answer = await query_raw(lambda query: [query[:2] + b"\x83\x80\0\1\0\0\0\0\0\0" + query[12:24]], "TXT")
    assert answer == DnsAnswer("failed", fault="timeout")


async def test_forged_responses_are_ignored() -> None:
    def respond(query: bytes) -> list[bytes]:
        good = build_response(query, rdatatype.A, b"\xc0\0\2\1")
        forged = build_response(query, rdatatype.A, b"\xc0\0\2\x42")
        return [bytes([forged[0] ^ 1]) + forged[1:], forged[:13] + b"b" + forged[14:], good]

    assert (await query_raw(respond, "A")).values == ("192.0.2.1",)


async def test_only_forged_responses() -> None:
    def respond(query: bytes) -> list[bytes]:
        forged = build_response(query, rdatatype.A, b"\xc0\0\2\x42")
        return [forged[:13] + b"b" + forged[14:]] * 3

    assert await query_raw(respond, "A", lifetime=0.3) == DnsAnswer("failed", fault="timeout")


@pytest.mark.parametrize("length", [1, 2, 30])
async def test_cname_loop(length: int) -> None:
    def respond(query: bytes) -> list[bytes]:
        names = [query[12:20], *(bytes([3]) + b"%03d" % n + b"\0" for n in range(1, length))]
        links = zip(names, [*names[1:], names[0]], strict=True)
        records = [owner + struct.pack("!HHIH", 5, 1, 60, len(target)) + target for owner, target in links]
        return [build_response(query, 5, count=length) + b"".join(records)]

    assert await query_raw(respond, "TXT") == DnsAnswer("failed", fault="malformed")


@pytest.mark.parametrize("rdata", [b"\x05abc", b""])
async def test_malformed_responses(rdata: bytes) -> None:
    answer = await query_raw(lambda query: [build_response(query, rdatatype.TXT, rdata)], "TXT")
    assert answer == DnsAnswer("failed", fault="malformed")
    answer = await query_raw(lambda query: [build_response(query, rdatatype.TXT, count=MAX_RECORDS)], "TXT")
    assert answer == DnsAnswer("failed", fault="malformed")


async def test_unresponsive_server_is_queried_last(dns: DnsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    async with DnsStandIn() as second:
        second.set("a.test", "TXT", "x")
        dns.fail("a.test", "TIMEOUT")
        resolver = DnsResolver([("127.0.0.1", dns.port), ("127.0.0.1", second.port)], timeout=0.2, lifetime=5)
        for _ in range(3):
            assert (await resolver.query("a.test", "TXT")).values == ("x",)
        assert dns.query_count("a.test", "TXT") == 2, "with and without EDNS, in one attempt"
        assert second.query_count("a.test", "TXT") == 3
        second.fail("a.test", "REFUSED")
        dns.restore("a.test")
        assert await resolver.query("a.test", "TXT") == DnsAnswer("no_domain")
        asked = second.query_count("a.test", "TXT")
        monkeypatch.setattr(exchange.NameServer, "is_unresponsive", False)
        assert await resolver.query("a.test", "TXT") == DnsAnswer("no_domain")
        assert second.query_count("a.test", "TXT") == asked, "the first server is queried in its turn again"

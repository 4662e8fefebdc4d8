"""The DNS stand-in, queried with dnspython."""

import asyncio

import dns.asyncquery
import dns.asyncresolver
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.resolver
import pytest

from tests.support.dns import DnsStandIn


def resolver(server: DnsStandIn) -> dns.asyncresolver.Resolver:
    made = dns.asyncresolver.Resolver(configure=False)
    made.nameservers = ["127.0.0.1"]
    made.port = server.port
    made.lifetime = 5
    return made


async def ask(server: DnsStandIn, name: str, rdtype: str) -> list[str]:
    return [record.to_text() for record in await resolver(server).resolve(name, rdtype)]


async def test_records_of_each_type(dns_server: DnsStandIn) -> None:
    dns_server.set("Example.org", "MX", "10 mx1.ours.test.", "20 mx2.ours.test.")
    dns_server.set("_emailrouter.example.org", "TXT", "emailrouter-verification=a b")
    dns_server.set("mx1.ours.test", "A", "192.0.2.1")
    dns_server.set("mx1.ours.test", "AAAA", "2001:db8::1")
    dns_server.set("192.0.2.1", "PTR", "mx1.ours.test")
    assert sorted(await ask(dns_server, "example.org", "MX")) == ["10 mx1.ours.test.", "20 mx2.ours.test."]
    assert await ask(dns_server, "_emailrouter.example.org", "TXT") == ['"emailrouter-verification=a b"']
    assert await ask(dns_server, "mx1.ours.test", "A") == ["192.0.2.1"]
    assert await ask(dns_server, "MX1.ours.test", "AAAA") == ["2001:db8::1"]
    assert await ask(dns_server, "1.2.0.192.in-addr.arpa", "PTR") == ["mx1.ours.test."]
    assert ("example.org", "MX") in dns_server.queries
    assert dns_server.query_count("mx1.ours.test.", "aaaa") == 1


async def test_cname_is_followed(dns_server: DnsStandIn) -> None:
    dns_server.set("www.example.org", "CNAME", "example.org.")
    dns_server.set("example.org", "A", "192.0.2.1")
    answer = await resolver(dns_server).resolve("www.example.org", "A")
    assert str(answer.canonical_name) == "example.org."
    assert [record.to_text() for record in answer] == ["192.0.2.1"]


async def test_unknown_empty_and_removed_names(dns_server: DnsStandIn) -> None:
    dns_server.set("a.example.org", "A", "192.0.2.1")
    with pytest.raises(dns.resolver.NXDOMAIN):
        await ask(dns_server, "b.example.org", "A")
    for name, rdtype in [("a.example.org", "MX"), ("example.org", "A")]:
        with pytest.raises(dns.resolver.NoAnswer):
            await ask(dns_server, name, rdtype)
    dns_server.set("a.example.org", "A")
    with pytest.raises(dns.resolver.NXDOMAIN):
        await ask(dns_server, "a.example.org", "A")
    dns_server.set("a.example.org", "A", "192.0.2.2")
    dns_server.remove("a.example.org")
    with pytest.raises(dns.resolver.NXDOMAIN):
        await ask(dns_server, "a.example.org", "A")


async def test_failures_last_until_restored(dns_server: DnsStandIn) -> None:
    dns_server.set("example.org", "MX", "10 mx.ours.test.")
    dns_server.set("example.org", "A", "192.0.2.1")
    dns_server.fail("example.org", "SERVFAIL", "MX")
    with pytest.raises(dns.resolver.NoNameservers, match="SERVFAIL"):
        await ask(dns_server, "example.org", "MX")
    assert await ask(dns_server, "example.org", "A") == ["192.0.2.1"]
    dns_server.fail("example.org", "REFUSED")
    with pytest.raises(dns.resolver.NoNameservers, match="REFUSED"):
        await ask(dns_server, "example.org", "A")
    dns_server.restore("example.org")
    assert await ask(dns_server, "example.org", "MX") == ["10 mx.ours.test."]
    dns_server.fail("example.org", "NXDOMAIN")
    with pytest.raises(dns.resolver.NXDOMAIN):
        await ask(dns_server, "example.org", "MX")
    dns_server.fail("example.org", "EMPTY")
    with pytest.raises(dns.resolver.NoAnswer):
        await ask(dns_server, "example.org", "MX")


async def test_query_times_out(dns_server: DnsStandIn) -> None:
    dns_server.fail("silent.test", "TIMEOUT")
    query = dns.message.make_query("silent.test", "A")
    for transport in (dns.asyncquery.udp, dns.asyncquery.tcp):
        with pytest.raises(dns.exception.Timeout):
            await transport(query, "127.0.0.1", port=dns_server.port, timeout=0.05)
    assert dns_server.query_count("silent.test", "A") == 2


async def test_large_answers_are_truncated_on_udp_only(dns_server: DnsStandIn) -> None:
    dns_server.set("large.test", "TXT", "x" * 1000)
    dns_server.set("small.test", "TXT", "x")
    dns_server.fail("small.test", "TRUNCATED")
    for name in ("large.test", "small.test"):
        query = dns.message.make_query(name, "TXT")
        cut = await dns.asyncquery.udp(query, "127.0.0.1", port=dns_server.port, timeout=5)
        assert cut.flags & dns.flags.TC
        whole = await dns.asyncquery.tcp(query, "127.0.0.1", port=dns_server.port, timeout=5)
        assert not whole.flags & dns.flags.TC
        assert whole.answer


async def test_answer_is_delayed(dns_server: DnsStandIn) -> None:
    dns_server.set("late.test", "A", "192.0.2.1")
    dns_server.delay("late.test", 0.05)
    loop = asyncio.get_running_loop()
    before = loop.time()
    assert await ask(dns_server, "late.test", "A") == ["192.0.2.1"]
    assert loop.time() - before >= 0.05


async def test_wait_for_query(dns_server: DnsStandIn) -> None:
    dns_server.set("a.test", "A", "192.0.2.1")
    waiting = asyncio.create_task(dns_server.wait_for("a.test", "A"))
    await ask(dns_server, "a.test", "A")
    await waiting
    with pytest.raises(TimeoutError, match=r"1 queries b\.test A; received: .*a\.test"):
        await dns_server.wait_for("b.test", "A", timeout=0.01)


async def test_malformed_query_is_not_answered(dns_server: DnsStandIn) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", dns_server.port)
    writer.write(b"\x00\x03abc")
    query = dns.message.make_query(dns.name.from_text("a.test"), "A").to_wire()
    writer.write(len(query).to_bytes(2) + query)
    length = int.from_bytes(await reader.readexactly(2))
    assert dns.message.from_wire(await reader.readexactly(length)).question[0].name.to_text() == "a.test."
    writer.close()
    await writer.wait_closed()

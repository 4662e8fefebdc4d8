"""DNS block lists are queried for the client's address, and ignored while they do not answer.

Guesses of recipients are delayed.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest
from dns.resolver import NXDOMAIN

from router.dns.resolver import DnsResolver
from smtp import policy
from smtp.bounds import Bounds
from smtp.dnsbl import BlockLists
from tests.support.dns import DnsStandIn
from tests.support.smtp import RawSmtp, SmtpReply
from tests.support.smtp_doubles import RunningSmtpServer, make_bounds, running_server

SETTINGS: dict[str, Any] = {
    "proxy_protocol": True,
    "trusted_networks": ["127.0.0.0/8"],
    "dnsbl": ["one.test", "two.test"],
}


@dataclass
class FakeBlockListResolver:
    """A resolver with fixed records. It can fail, or wait for `gate`."""

    records: dict[str, list[str]] = field(default_factory=dict)
    failure: Exception | None = None
    gate: asyncio.Event | None = None
    queries: list[str] = field(default_factory=list)

    async def resolve(self, qname: str, rdtype: str, /) -> Iterable[object]:
        assert rdtype == "A"
        self.queries.append(qname)
        if self.gate is not None:
            await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        if qname not in self.records:
            raise NXDOMAIN
        return self.records[qname]


async def send_recipient(server: RunningSmtpServer, address: str) -> SmtpReply:
    async with await RawSmtp.connect(server.host, server.port, greeting=False) as client:
        family = "TCP6" if ":" in address else "TCP4"
        await client.send_line(f"PROXY {family} {address} {address} 1 25")
        await client.expect(220)
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        return await client.command("RCPT TO:<support@example.com>")


async def test_lists_are_queried_by_dns() -> None:
    async with DnsStandIn() as dns:
        dns.edns_failure = "FORMERR"
        dns.set("7.2.0.192.two.test", "A", "127.0.0.2")
        dns.fail("9.2.0.192.two.test", "SERVFAIL")
        lists = BlockLists(["one.test", "two.test"], DnsResolver([("127.0.0.1", dns.port)], timeout=5, lifetime=10))
        assert await lists.find_listing("192.0.2.7") == "two.test"
        assert await lists.find_listing("192.0.2.8") == ""
        assert await lists.find_listing("192.0.2.9") == ""
        assert dns.query_count("8.2.0.192.one.test", "A") == 1


async def test_listed_address_is_rejected_at_rcpt() -> None:
    zones = FakeBlockListResolver({"7.2.0.192.two.test.": ["127.0.0.2"]})
    async with running_server(resolver=zones, **SETTINGS) as server:
        reply = await send_recipient(server, "192.0.2.7")
        assert (reply.code, reply.enhanced) == (550, "5.7.1")
        assert (await send_recipient(server, "192.0.2.8")).code == 250
        assert not server.mails.mails


async def test_ipv6_is_queried_by_nibbles() -> None:
    zones = FakeBlockListResolver()
    async with running_server(resolver=zones, **SETTINGS) as server:
        assert (await send_recipient(server, "2001:db8::1")).code == 250
    assert zones.queries[0] == "1" + ".0" * 23 + ".8.b.d.0.1.0.0.2.one.test."


@pytest.mark.parametrize(
    "zones",
    [
        FakeBlockListResolver({"7.2.0.192.one.test.": ["127.255.255.254"]}),
        FakeBlockListResolver({"7.2.0.192.one.test.": ["198.51.100.1"]}),
        FakeBlockListResolver(failure=RuntimeError("broken")),
        FakeBlockListResolver(failure=TimeoutError()),
    ],
)
async def test_invalid_or_missing_answer_lists_no_address(zones: FakeBlockListResolver) -> None:
    async with running_server(resolver=zones, **SETTINGS) as server:
        assert (await send_recipient(server, "192.0.2.7")).code == 250


async def test_silent_list_does_not_block_the_mail() -> None:
    zones = FakeBlockListResolver(gate=asyncio.Event())
    async with running_server(resolver=zones, bounds={"block_list_timeout": 0.05}, **SETTINGS) as server:
        assert (await send_recipient(server, "192.0.2.7")).code == 250


async def test_loopback_is_not_queried() -> None:
    zones = FakeBlockListResolver()
    assert await BlockLists(["one.test"], zones).find_listing("127.0.0.1") == ""
    assert await BlockLists(["one.test"], zones).find_listing("") == ""
    assert not zones.queries


async def test_guesses_are_delayed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def delay(guesses: int, _bounds: Bounds) -> float:
        asked.append(guesses)
        return 0.001

    monkeypatch.setattr(policy, "tarpit_delay", delay)
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        for recipient in ("x@example.com", "support@example.com", "y@elsewhere.example", "disabled@example.com"):
            await client.command(f"RCPT TO:<{recipient}>")
    assert asked == [1, 2]


def test_delay_rises_to_a_limit() -> None:
    assert [policy.tarpit_delay(guesses, make_bounds()) for guesses in (1, 3, 4, 5, 13, 1000)] == [
        0,
        0,
        0.5,
        1.0,
        5.0,
        5.0,
    ]

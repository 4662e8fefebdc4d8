"""SPF and iprev of a message through the cache and a name server."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.checks.dns_cache import open_dns_cache
from router.checks.iprev import check_iprev
from router.checks.questions import Questions
from router.checks.spf import check_spf
from router.clock import SystemClock
from router.mail.auth_results import AuthResult
from router.meter import NULL_METER
from tests.support.dns import DnsStandIn


@pytest.fixture
async def dns() -> AsyncIterator[DnsStandIn]:
    async with DnsStandIn() as server:
        yield server


async def run_checks(port: int) -> list[AuthResult]:
    """Checks one message with an empty cache."""
    lookup = Questions(open_dns_cache([("127.0.0.1", port)], SystemClock(), NULL_METER)).query
    spf = check_spf(lookup, peer="192.0.2.1", helo="mail.a.test", reverse_path="user@a.test")
    return [*await asyncio.gather(spf, check_iprev(lookup, "192.0.2.1"))]


async def test_checks_of_a_message(dns: DnsStandIn) -> None:
    dns.set("a.test", "TXT", "v=spf1 include:b.test a:mail.a.test -all")
    dns.set("b.test", "TXT", "v=spf1 exists:%{i}.list.test -all")
    dns.set("mail.a.test", "A", "192.0.2.1")
    dns.set("192.0.2.1", "PTR", "mail.a.test.")
    iprev = AuthResult("iprev", "pass", "mail.a.test")
    assert await run_checks(dns.port) == [AuthResult("spf", "pass", "a.test"), iprev]
    assert dns.query_count("mail.a.test", "A") == 1, "both checks use one answer"
    dns.fail("b.test", "SERVFAIL")
    assert await run_checks(dns.port) == [AuthResult("spf", "temperror", "a.test", reason="DNS server error"), iprev]

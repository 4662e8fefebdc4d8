"""`emailrouter check` reports resolvers, an rspamd and a clock with which the checks of senders do not work."""

from typing import Any

import pytest

from emailrouter.check import clock, kernel_clock, resolver, rspamd
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult
from router.clock import SystemClock
from router.dns.resolver import DnsResolver
from tests.support.behaviours import FixedResponse, Hang
from tests.support.dns import DnsStandIn, Failure
from tests.support.installation.checked import ShiftedClock, assert_line
from tests.support.installation.settings import make_config
from tests.support.rspamd import PATH, RspamdStandIn, make_body
from tests.support.stores import Store

ZONE = "zen.example.test"
LISTED, NOT_LISTED = f"2.0.0.127.{ZONE}", f"1.0.0.127.{ZONE}"


def make_context(dns: DnsStandIn, **settings: object) -> CheckContext:
    config = make_config({name.replace("__", "."): value for name, value in settings.items()})
    return CheckContext(config, DnsResolver([("127.0.0.1", dns.port)], timeout=0.5, lifetime=1), SystemClock())


# --- resolver


async def test_good_resolver(dns_server: DnsStandIn) -> None:
    dns_server.set(LISTED, "A", "127.0.0.2", "127.0.0.10")
    lines = await resolver.resolver(make_context(dns_server, smtp__dnsbl=[ZONE]))
    assert [line.status for line in lines] == ["ok", "ok"]
    names = {name for name, _ in dns_server.queries}
    assert names - {LISTED, NOT_LISTED} == {name for name in names if name.endswith(".example.com")}
    for name in names - {NOT_LISTED}:
        assert any(f"queried {name}" in line.text for line in lines), "the line says what was queried"


@pytest.mark.parametrize(
    ("settings", "queried"),
    [
        ({}, []),
        ({"checks__enabled": False}, None),
        ({"checks__rspamd_url": "http://127.0.0.1:1"}, ["zen.spamhaus.org"]),
        ({"checks__rspamd_url": "http://127.0.0.1:1", "smtp__dnsbl": [ZONE]}, [ZONE]),
        ({"checks__rspamd_url": "http://127.0.0.1:1", "checks__enabled": False}, None),
        ({"checks__enabled": False, "smtp__dnsbl": [ZONE]}, [ZONE]),
    ],
)
async def test_lists_are_queried_only_if_they_are_used(
    dns_server: DnsStandIn, settings: dict[str, object], queried: list[str] | None
) -> None:
    await resolver.resolver(make_context(dns_server, **settings))
    names = {name for name, _ in dns_server.queries}
    assert any(name.endswith(".example.com") for name in names) == (queried is not None)
    lists = {name for name in names if "0.0.127" in name}
    assert lists == {f"{n}.0.0.127.{zone}" for zone in queried or () for n in (1, 2)}


@pytest.mark.parametrize(
    ("listed", "not_listed", "text", "fix"),
    [
        ("127.255.255.254", None, "refuses queries through this resolver", "unbound"),
        (None, "127.255.255.255", "refuses queries through this resolver", "unbound"),
        ("127.0.0.2", "127.0.0.2", "lists every address", f"Remove {ZONE}"),
        (None, None, "does not list the test entry 127.0.0.2", "unbound"),
        ("203.0.113.5", "203.0.113.5", "does not list the test entry 127.0.0.2", "unbound"),
    ],
)
async def test_unusable_block_list(
    dns_server: DnsStandIn, listed: str | None, not_listed: str | None, text: str, fix: str
) -> None:
    for name, value in ((LISTED, listed), (NOT_LISTED, not_listed)):
        dns_server.set(name, "A", *([value] if value else []))
    assert_line(await resolver.resolver(make_context(dns_server, smtp__dnsbl=[ZONE])), "warn", text, fix)


@pytest.mark.parametrize(
    ("failure", "text"),
    [("TIMEOUT", "does not answer (no response in time"), ("REFUSED", "does not answer (an error such as SERVFAIL")],
)
async def test_failing_block_list(dns_server: DnsStandIn, failure: Failure, text: str) -> None:
    dns_server.fail(LISTED, failure)
    lines = await resolver.resolver(make_context(dns_server, smtp__dnsbl=[ZONE]))
    assert_line(lines, "warn", f"{ZONE} {text}", "still exists")


async def test_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch, dns_server: DnsStandIn) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0")
    dns_server.fail("emailrouter-check-0.example.com", "SERVFAIL")
    lines = await resolver.resolver(make_context(dns_server))
    assert_line(lines, "warn", "resolver: does not answer (an error such as SERVFAIL", "[dns] nameservers")


async def test_resolver_that_returns_addresses_for_missing_names(
    monkeypatch: pytest.MonkeyPatch, dns_server: DnsStandIn
) -> None:
    monkeypatch.setattr("secrets.token_hex", lambda _: "0")
    dns_server.set("emailrouter-check-0.example.com", "A", "203.0.113.80")
    lines = await resolver.resolver(make_context(dns_server))
    assert_line(lines, "warn", "returns 203.0.113.80 for emailrouter-check-0.example.com", "unbound")


# --- rspamd


async def check_rspamd(dns: DnsStandIn, server: RspamdStandIn, **settings: object) -> list[CheckResult]:
    return await rspamd.rspamd(make_context(dns, checks__rspamd_url=server.base_url, **settings))


async def test_rspamd_answers(dns_server: DnsStandIn) -> None:
    async with RspamdStandIn(password="secret") as server:
        lines = await check_rspamd(dns_server, server, checks__rspamd_password="secret")
        assert [(line.check, line.status) for line in lines] == [("rspamd", "ok")]
        assert (
            lines[0].text == f"{server.base_url} answers (rspamd/3.4): no action for a test message, score 0.9 of 15.0"
        )
        assert b"not delivered" in server.posts[0].raw
        lines = await check_rspamd(dns_server, server, checks__rspamd_password="wrong password")
        assert_line(lines, "warn", "refuses the password (rspamd/3.4)", "[checks] rspamd_password")
        assert "wrong password" not in str(lines)
        assert_line(await check_rspamd(dns_server, server, checks__enabled=False), "ok", "not used", "")
        lines = await check_rspamd(dns_server, server, checks__rspamd_max_bytes=1)
        assert_line(lines, "warn", "the message is larger than 1 bytes", "rspamd_max_bytes")
    assert await rspamd.rspamd(make_context(dns_server)) == []


@pytest.mark.parametrize(
    ("behaviour", "text", "fix"),
    [
        (FixedResponse(500, ""), "it returned 500", "port 11333"),
        (FixedResponse(200, "<html>"), "the response is not JSON", "port 11333"),
        (FixedResponse(200, make_body(0, "no action", is_skipped=True)), "does not check the test message", "settings"),
        (Hang(), "no response within 0.05 s", "rspamd_timeout"),
    ],
)
async def test_unusable_rspamd(dns_server: DnsStandIn, behaviour: Any, text: str, fix: str) -> None:
    async with RspamdStandIn() as server:
        server.default(PATH, behaviour)
        assert_line(await check_rspamd(dns_server, server, checks__rspamd_timeout="50ms"), "warn", text, fix)


async def test_rspamd_is_not_running(dns_server: DnsStandIn) -> None:
    async with RspamdStandIn() as server:
        await server.stop()
        assert_line(await check_rspamd(dns_server, server), "warn", "connection refused", "systemctl start rspamd")


async def test_clock_of_rspamd_on_another_host(dns_server: DnsStandIn, monkeypatch: pytest.MonkeyPatch) -> None:
    async with RspamdStandIn(date="Mon, 01 Jan 2024 00:00:00 GMT") as server:
        assert len(await check_rspamd(dns_server, server)) == 1, "this host has only one clock"
        monkeypatch.setattr(rspamd, "is_loopback", lambda _: False)
        lines = await check_rspamd(dns_server, server)
        assert_line(lines, "fail", "clock: this host's clock and that of 127.0.0.1 (rspamd) differ by", "timedatectl")


# --- clock


async def test_clock_of_the_database(store: Store, dns_server: DnsStandIn) -> None:
    async def check(seconds: float, is_synchronised: bool | None = None) -> list[tuple[str, str]]:
        config = make_config({})
        context = CheckContext(
            config,
            DnsResolver([("127.0.0.1", dns_server.port)]),
            ShiftedClock(seconds),
            store.database,
            is_clock_synchronised=lambda: is_synchronised,
        )
        return [(line.status, line.text) for line in await clock.clock(context)]

    if store.kind == "sqlite":
        assert await check(3600) == [("ok", "not compared: the database is on this host, and no other clock is known")]
        assert [status for status, _ in await check(0, is_synchronised=False)] == ["warn"]
        assert [status for status, _ in await check(0, is_synchronised=True)] == ["ok"]
        return
    (found,) = await check(3600)
    assert found[0] == "fail"
    assert "differ by 3600" in found[1]
    assert [status for status, _ in await check(-10)] == ["warn"]
    assert [status for status, _ in await check(0, is_synchronised=False)] == ["ok", "warn"]


def test_kernel_answers_or_not() -> None:
    assert kernel_clock.is_synchronised() in (True, False, None)


@pytest.mark.parametrize(
    ("offset", "status", "text"),
    [(0.0, "ok", "0.0 s"), (0.9, "ok", "0.0 s"), (2.5, "ok", "1.5 s"), (-1.0, "ok", "1.0 s"), (-3.0, "warn", "3.0 s")],
)
def test_date_of_a_response(offset: float, status: str, text: str) -> None:
    now = 1_704_067_200_000_000 + round(offset * 1_000_000)  # 2024-01-01 00:00 UTC
    found = clock.compare_date("the other", "Mon, 01 Jan 2024 00:00:00 GMT", now)
    assert found is not None
    assert (found.status, found.text) == (status, f"this host's clock and the other differ by {text}")


@pytest.mark.parametrize("date", ["", "now", "Mon, 99 Jan 2024 00:00:00 GMT"])
def test_malformed_date(date: str) -> None:
    assert clock.compare_date("the other", date, 0) is None

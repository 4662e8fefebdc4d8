"""Domain verification against a DNS server on loopback."""

import json
from collections.abc import AsyncIterator

import pytest

from router.dns.resolver import DnsFailure, DnsRecords, DnsResolver, MxRecord, NoDnsRecord
from router.dns.verification import (
    RecordReport,
    VerificationMode,
    VerificationResult,
    check_domain,
    dump_records,
    expected_records,
    load_records,
)
from router.model import Domain
from tests.support.dns import DnsStandIn

DOMAIN, TOKEN, MX_HOSTS = "help.example.org", "ab12cd34", [("mx1.router.test", 10)]
TXT = f"_emailrouter.{DOMAIN}"
VALUE = f"emailrouter-verification={TOKEN}"
NOW = 1_763_810_645_000_000


@pytest.fixture
async def dns() -> AsyncIterator[DnsStandIn]:
    async with DnsStandIn() as server:
        yield server


@pytest.fixture
def resolver(dns: DnsStandIn) -> DnsResolver:
    return DnsResolver([("127.0.0.1", dns.port)], timeout=5, lifetime=10)


def _domain(name: str) -> Domain:
    return Domain(
        id="dom_1",
        workspace_id="ws_1",
        name=name,
        status="pending_verification",
        token=TOKEN,
        records="[]",
        created_at=NOW,
        verified_at=None,
        checked_at=None,
    )


async def _check(resolver: DnsResolver, mode: VerificationMode = "mx+txt", domain: str = DOMAIN) -> VerificationResult:
    return await check_domain(_domain(domain), MX_HOSTS, mode, resolver=resolver, now=NOW)


def _publish_records(dns: DnsStandIn) -> None:
    dns.set(DOMAIN, "MX", "10 MX1.Router.Test.", "20 backup.example.net.")
    dns.set(TXT, "TXT", "something else", VALUE)


# --- the resolver


async def test_query_results(dns: DnsStandIn, resolver: DnsResolver) -> None:
    dns.set("a.test", "MX", "20 B.test.", "10 c.test.")
    dns.set("null.test", "MX", "0 .")
    dns.set("a.test", "TXT", "x" * 300, "gr\u00fcn")
    dns.set("alias.test", "CNAME", "a.test.")
    dns.set("web.test", "A", "192.0.2.1")
    dns.set("toweb.test", "CNAME", "web.test.")
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "c.test"), MxRecord(20, "b.test")))
    assert await resolver.query_mx("null.test") == DnsRecords((MxRecord(0, ""),))
    assert await resolver.query_txt("A.Test") == DnsRecords(("gr\u00fcn", "x" * 300))
    assert await resolver.query_mx("alias.test") == DnsRecords(
        (MxRecord(10, "c.test"), MxRecord(20, "b.test")), "a.test"
    )
    assert await resolver.query_mx("web.test") == NoDnsRecord()
    assert await resolver.query_mx("toweb.test") == NoDnsRecord(alias="web.test")
    assert await resolver.query_mx("none.test") == NoDnsRecord()


@pytest.mark.parametrize("failure", ["SERVFAIL", "REFUSED", "TIMEOUT"])
async def test_failures(dns: DnsStandIn, resolver: DnsResolver, failure: str) -> None:
    dns.set("a.test", "MX", "10 b.test.")
    dns.fail("a.test", failure)  # type: ignore[arg-type]  # the failures are literals of the type
    fast_resolver = DnsResolver([("127.0.0.1", dns.port)], timeout=0.2, lifetime=0.5)
    found = await (fast_resolver if failure == "TIMEOUT" else resolver).query_mx("a.test")
    assert isinstance(found, DnsFailure)
    assert found.reason == (
        "no name server responded within 0.5 s"
        if failure == "TIMEOUT"
        else f"the name servers returned an error ({failure})"
    )
    dns.restore("a.test")
    assert await resolver.query_mx("a.test") == DnsRecords((MxRecord(10, "b.test"),))


async def test_response_too_large_for_udp(dns: DnsStandIn, resolver: DnsResolver) -> None:
    dns.set("big.test", "TXT", *(f"{number:04}" + "x" * 200 for number in range(30)))
    dns.set("cut.test", "TXT", "y")
    dns.fail("cut.test", "TRUNCATED")
    found = await resolver.query_txt("big.test")
    assert isinstance(found, DnsRecords)
    assert len(found.values) == 30
    assert await resolver.query_txt("cut.test") == DnsRecords(("y",))


@pytest.mark.parametrize("name", ["a..test", "x" * 64 + ".test", ".".join(["long"] * 60), "\ud800.test"])
async def test_invalid_names(resolver: DnsResolver, name: str) -> None:
    assert isinstance(await resolver.query_mx(name), DnsFailure)


async def test_unreachable_server() -> None:
    resolver = DnsResolver([("127.0.0.1", 1)], timeout=0.1, lifetime=0.2)
    assert isinstance(await resolver.query_txt("a.test"), DnsFailure)


async def test_next_server_is_queried(dns: DnsStandIn) -> None:
    dns.set("a.test", "TXT", "x")
    resolver = DnsResolver([("127.0.0.1", 1), ("127.0.0.1", dns.port)], timeout=0.1, lifetime=5)
    assert await resolver.query_txt("a.test") == DnsRecords(("x",))


# --- the result


async def test_correct_records(dns: DnsStandIn, resolver: DnsResolver) -> None:
    _publish_records(dns)
    result = await _check(resolver)
    assert result == VerificationResult(
        (
            RecordReport(
                "mx",
                "MX",
                DOMAIN,
                ("10 mx1.router.test",),
                ("10 mx1.router.test", "20 backup.example.net"),
                "ok",
                NOW,
                "",
            ),
            RecordReport("verification", "TXT", TXT, (VALUE,), (VALUE, "something else"), "ok", NOW, ""),
        ),
        is_verified=True,
    )
    assert sorted(dns.queries) == [(TXT, "TXT"), (DOMAIN, "MX")]  # no further queries


@pytest.mark.parametrize(
    ("mx", "txt", "modes"),
    [(True, True, "mx txt mx+txt"), (True, False, "mx"), (False, True, "txt"), (False, False, "")],
)
async def test_mode_selects_the_required_records(
    dns: DnsStandIn, resolver: DnsResolver, mx: bool, txt: bool, modes: str
) -> None:
    _publish_records(dns)
    if not mx:
        dns.remove(DOMAIN)
    if not txt:
        dns.remove(TXT)
    every: tuple[VerificationMode, ...] = ("mx", "txt", "mx+txt")
    for mode in every:
        result = await _check(resolver, mode)
        assert result.is_verified is (mode in modes.split())
        assert [record.type for record in result.records] == ["MX", "TXT"]
        assert all(record.status != "error" for record in result.records)


async def test_failure_is_not_a_missing_record(dns: DnsStandIn, resolver: DnsResolver) -> None:
    _publish_records(dns)
    dns.fail(DOMAIN, "SERVFAIL", "MX")
    result = await _check(resolver)
    assert [record.status for record in result.records] == ["error", "ok"]
    assert (result.is_verified, result.is_definitely_missing) == (False, False)
    assert (await _check(resolver, "txt")).is_verified


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        (DOMAIN, f"is at {DOMAIN} instead"),
        (f"{TXT}.{DOMAIN}", f"is at {TXT}.{DOMAIN} instead"),
        (f"{TXT}.example.org", f"is at {TXT}.example.org instead"),
        ("_emailrouter.example.org", "is at _emailrouter.example.org instead"),
    ],
)
async def test_misplaced_txt(dns: DnsStandIn, resolver: DnsResolver, name: str, phrase: str) -> None:
    dns.set(name, "TXT", VALUE)
    record = (await _check(resolver)).records[1]
    assert (record.status, record.found) == ("missing", ())
    assert phrase in record.fix


@pytest.mark.parametrize("zone", [DOMAIN, "example.org"])
async def test_misplaced_mx(dns: DnsStandIn, resolver: DnsResolver, zone: str) -> None:
    dns.set(f"{DOMAIN}.{zone}", "MX", "10 mx1.router.test.")
    record = (await _check(resolver)).records[0]
    assert record.status == "missing"
    assert f"is at {DOMAIN}.{zone}" in record.fix


async def test_cname_instead_of_mx(dns: DnsStandIn, resolver: DnsResolver) -> None:
    dns.set(DOMAIN, "CNAME", "site.example.net.")
    dns.set("site.example.net", "A", "192.0.2.1")
    record = (await _check(resolver)).records[0]
    assert record.status == "wrong"
    assert "CNAME for site.example.net" in record.fix


async def test_found_values_are_limited_and_printable(dns: DnsStandIn, resolver: DnsResolver) -> None:
    dns.set(TXT, "TXT", *(f"{n}\x00\u202e" + "x" * 400 for n in range(60)))
    dns.set(DOMAIN, "MX", *(f"{n} mx{n}.example.net." for n in range(60)))
    for record in (await _check(resolver)).records:
        assert len(record.found) == 10
        assert all(value.isprintable() and len(value) <= 200 for value in record.found)
        assert len(record.fix) <= 1000


async def test_domain_of_maximum_length(resolver: DnsResolver) -> None:
    domain = ".".join(["x" * 60] * 4)
    result = await _check(resolver, domain=domain)
    assert not result.is_verified


# --- records before the first check, and in storage


def test_before_the_first_check() -> None:
    mx, txt = expected_records(_domain(DOMAIN), MX_HOSTS)
    assert (mx.status, mx.expected, mx.checked_at) == ("missing", ("10 mx1.router.test",), None)
    assert (txt.name, txt.expected, txt.found) == (TXT, (VALUE,), ())


async def test_records_are_stored_as_json(dns: DnsStandIn, resolver: DnsResolver) -> None:
    _publish_records(dns)
    records = (await _check(resolver)).records
    assert load_records(dump_records(records)) == records
    older = [{k: v for k, v in row.items() if k != "purpose"} for row in json.loads(dump_records(records))]
    assert load_records(json.dumps(older)) == records
    for text in ("", "[]", "nonsense", "{}", '[{"type": "MX"}]', "[1]"):
        assert load_records(text) == ()


# --- several name servers, and the queries of the check command


@pytest.fixture
async def second_server() -> AsyncIterator[DnsStandIn]:
    async with DnsStandIn() as server:
        yield server


async def test_propagating_records(dns: DnsStandIn, second_server: DnsStandIn) -> None:
    dns.set(DOMAIN, "MX", "10 old.example.net.")
    _publish_records(second_server)
    resolver = DnsResolver([("127.0.0.1", dns.port), ("127.0.0.1", second_server.port)], timeout=5, lifetime=10)
    result = await _check(resolver)
    assert [record.status for record in result.records] == ["wrong", "missing"]
    for record in result.records:
        assert "others still return the old one" in record.fix
    assert not result.is_verified
    assert result.has_correct_record is False
    assert result.is_definitely_missing is False, "one of two name servers has the records"


async def test_missing_on_all_name_servers(dns: DnsStandIn, second_server: DnsStandIn) -> None:
    resolver = DnsResolver([("127.0.0.1", dns.port), ("127.0.0.1", second_server.port)], timeout=5, lifetime=10)
    result = await _check(resolver)
    assert result.is_definitely_missing
    assert "has no MX record" in result.records[0].fix
    assert second_server.query_count(DOMAIN, "MX") == 1


async def test_queries_of_the_check_command(dns: DnsStandIn, resolver: DnsResolver) -> None:
    dns.set("a.test", "A", "192.0.2.1")
    dns.set("a.test", "AAAA", "2001:db8::1")
    dns.set("192.0.2.1", "PTR", "A.test.")
    assert await resolver.query_addresses("a.test") == DnsRecords(("192.0.2.1", "2001:db8::1"))
    assert await resolver.query_names("192.0.2.1") == DnsRecords(("a.test",))
    assert await resolver.query_addresses("none.test") == NoDnsRecord()
    assert await resolver.query_tlsa("_25._tcp.a.test") == NoDnsRecord()

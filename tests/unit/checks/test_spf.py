"""SPF beyond the suite of RFC 7208: identities, reasons, limits and hostile records."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.checks.spf import MAX_QUESTIONS, check_spf, spf_domain, spf_questions
from router.dns.answers import AnswerFault, DnsAnswer, RecordType
from router.dns.resolver import MAX_TXT_BYTES
from router.mail.auth_results import AuthResult
from tests.unit.checks.zones import Zone, ZoneLookup

PEER = "192.0.2.1"


async def check(zone: Zone, *, peer: str = PEER, helo: str = "helo.test", path: str = "user@a.test") -> AuthResult:
    return await check_spf(ZoneLookup(zone).query, peer=peer, helo=helo, reverse_path=path)


def record(text: str) -> Zone:
    return {"a.test": [("TXT", text)]}


@pytest.mark.parametrize(
    ("helo", "path", "domain"),
    [
        ("helo.test", "user@A.test", "a.test"),
        ("helo.test", '"a@b"@a.test.', "a.test"),
        ("helo.test", "user@bücher.test", "xn--bcher-kva.test"),
        ("Helo.Test.", "", "helo.test"),
        ("helo.test", "user@[192.0.2.1]", ""),
        ("helo.test", "postmaster", ""),
        ("helo.test", "user@test", ""),
        ("helo.test", "user@a..test", ""),
        ("helo.test", f"user@{'a' * 64}.test", ""),
        ("helo.test", f"user@{'a.' * 130}test", ""),
        ("helo.test", "user@\u0378.test", ""),
        ("localhost", "", ""),
        ("[192.0.2.1]", "", ""),
        ("<b>.test", "", ""),
        ("", "", ""),
    ],
)
async def test_identity(helo: str, path: str, domain: str) -> None:
    assert spf_domain(helo, path) == domain
    questions = spf_questions("::ffff:192.0.2.1", helo, path)
    assert questions == (("1.2.0.192.in-addr.arpa", "PTR"), *([(domain, "TXT")] if domain else []))
    found = await check({domain: [("TXT", "v=spf1 ip4:192.0.2.1 -all")]}, helo=helo, path=path)
    assert (found.result, found.domain) == ("pass" if domain else "none", domain)


@pytest.mark.parametrize("peer", ["::ffff:192.0.2.1", "192.0.2.1"])
async def test_mapped_addresses_are_ipv4(peer: str) -> None:
    zone = record("v=spf1 ip4:192.0.2.0/24 -all")
    assert (await check(zone, peer=peer)).result == "pass"
    assert (await check(zone, peer="2001:db8::1")).result == "fail"


async def test_explanation_is_not_fetched() -> None:
    lookup = ZoneLookup({**record("v=spf1 -all exp=why.test"), "why.test": [("TXT", "Buy now")]})
    found = await check_spf(lookup.query, peer=PEER, helo="helo.test", reverse_path="user@a.test")
    assert found == AuthResult("spf", "fail", "a.test")
    assert lookup.questions == [("a.test", "TXT")]


@pytest.mark.parametrize(
    ("zone", "result", "reason"),
    [
        ({}, "none", "no SPF record"),
        (record("v=spf1 ~all"), "softfail", ""),
        (record("v=spf1"), "neutral", ""),
        (
            {**record("v=spf1 exists:b.test a:c.test mx:d.test ~all"), "c.test": [("AAAA", "::1")]},
            "permerror",
            "more than 2 DNS questions without an answer",
        ),
        (record("v=spf1 exists:b.test exists:b.test exists:b.test a:c.test ~all"), "softfail", ""),
        (record("v=spf1 " + "ptr " * 11), "permerror", "more than 10 terms that need DNS"),
        (record("v=spf1 include:b.test -all"), "permerror", "an included domain without an SPF record"),
        (record("v=spf1 redirect=b.test"), "permerror", "a redirect to a domain without an SPF record"),
        (record("v=spf1 redirect=a.test"), "permerror", "more than 10 terms that need DNS"),
        (record("v=spf1 surprise"), "permerror", "syntax error in SPF record"),
        (record("v=spf1 -all\n"), "permerror", "syntax error in SPF record"),
        (record("v=spf1 ip4:192.0.2.1\n"), "permerror", "syntax error in SPF record"),
        (record("v=spf1 ~IP6:fe80::1%25eth0 -all"), "permerror", "syntax error in SPF record"),
        (record("v=spf1 x=%{l" + "9" * 4070 + "}"), "neutral", ""),
        (record("v=spf1 " + "a" * MAX_TXT_BYTES), "permerror", "SPF record of 4096 bytes or more"),
        (record(("v=spf1 -all " + "x=1 " * 1100)[:MAX_TXT_BYTES]), "permerror", "SPF record of 4096 bytes or more"),
        ({"a.test": [("TXT", "v=spf1 -all"), ("TXT", "v=spf1")]}, "permerror", "more than one SPF record"),
        ({"a.test": [("TXT", "v=spf1 -all"), ("TXT", "v=spf10" + "x" * MAX_TXT_BYTES)]}, "fail", ""),
        (
            {"a.test": [("TXT", "v=spf1 mx"), *(("MX", f"1 {n}.test") for n in range(11))]},
            "permerror",
            "an mx term with more than 10 hosts",
        ),
        ({"a.test": [("TXT", "v=spf1 mx -all"), ("MX", "0 ")]}, "fail", ""),
        ({"a.test": [("TIMEOUT", "")]}, "temperror", "no DNS response"),
        ({**record("v=spf1 include:b.test"), "b.test": [("TIMEOUT", "")]}, "temperror", "no DNS response"),
    ],
)
async def test_reasons(zone: Zone, result: str, reason: str) -> None:
    found = await check(zone)
    assert (found.result, found.reason, found.domain) == (result, reason, "a.test")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("timeout", "no DNS response"), ("refused", "DNS server error"), ("malformed", "malformed DNS response")],
)
async def test_dns_faults(fault: AnswerFault, reason: str) -> None:
    async def lookup(name: str, record_type: RecordType) -> DnsAnswer:
        return DnsAnswer("failed", fault=fault)

    found = await check_spf(lookup, peer=PEER, helo="helo.test", reverse_path="")
    assert found == AuthResult("spf", "temperror", "helo.test", reason=reason)


async def test_questions_are_limited() -> None:
    hosts = {f"h{n}-{m}.test": [("A", "198.51.100.1")] for n in range(3) for m in range(10)}
    mail = {f"m{n}.test": [("MX", f"1 h{n}-{m}.test") for m in range(10)] for n in range(3)}
    lookup = ZoneLookup({**record("v=spf1 mx:m0.test mx:m1.test mx:m2.test -all"), **hosts, **mail})
    found = await check_spf(lookup.query, peer=PEER, helo="helo.test", reverse_path="user@a.test")
    assert (found.result, found.reason) == ("temperror", "too many DNS questions")
    assert len(lookup.questions) == MAX_QUESTIONS


async def test_any_of_many_addresses_matches() -> None:
    addresses = [("A", f"198.51.100.{n}") for n in range(200)]
    zone = {"a.test": [("TXT", "v=spf1 a/30 -all"), *addresses], "1.2.0.192.in-addr.arpa": [("PTR", "a.test")]}
    assert (await check(zone, peer="198.51.100.202")).result == "fail"
    assert (await check(zone, peer="198.51.100.199")).result == "pass"
    assert (await check({**zone, "a.test": [("TXT", "v=spf1 ptr -all"), *addresses]})).result == "fail"
    assert (await check({**zone, "a.test": [("TXT", "v=spf1 ptr -all"), *addresses, ("A", PEER)]})).result == "pass"
    assert (await check({**zone, "a.test": [("TXT", "v=spf1 exists:a.test -all"), *addresses]})).result == "pass"


_NAMES = (
    "a",
    "mx",
    "ptr",
    "include:",
    "exists:",
    "redirect=",
    "exp=",
    "ip4:",
    "ip6:",
    "all",
    "a.test",
    "1.2.3.4",
    "::1%",
)
_SIGNS = (
    "%{",
    "s",
    "l",
    "d",
    "p",
    "h",
    "i",
    "v",
    "}",
    "r",
    "1",
    "0",
    "/",
    "//",
    ".",
    "-",
    "%",
    ":",
    "=",
    " ",
    "\n",
    "é",
)
_PIECES = st.sampled_from([*_NAMES, *_SIGNS])


@settings(max_examples=300, deadline=None)
@given(
    st.lists(_PIECES, max_size=25).map("".join),
    st.sampled_from(["192.0.2.1", "2001:db8::1", "fe80::1%eth0"]),
    st.text(max_size=20),
    st.text(max_size=30),
)
async def test_no_record_or_identity_raises(text: str, peer: str, helo: str, local_part: str) -> None:
    zone = ZoneLookup({"a.test": [("TXT", f"v=spf1 {text}"), ("A", "192.0.2.2"), ("MX", "1 a.test")]})
    for path in (f"{local_part}@a.test", ""):
        found = await check_spf(zone.query, peer=peer, helo=helo or "a.test", reverse_path=path)
        assert found.reason != "internal error"

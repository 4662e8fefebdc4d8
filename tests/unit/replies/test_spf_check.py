"""The SPF record of a domain: what is wrong with it, and which record replaces it."""

import pytest

from config.smarthost_url import SmarthostUrl
from router.dns.answers import DnsAnswer, RecordType
from router.model import Domain
from router.replies.records.check import smarthost_terms
from router.replies.records.providers import guess_terms
from router.replies.records.spf_check import SpfCheck, check_facts, fetch_facts

DOMAIN = "example.com"
INCLUDE = "include:amazonses.com"
ZONE = {
    "amazonses.com": ["v=spf1 ip4:199.255.192.0/22 -all"],
    "open.example": ["v=spf1 +all"],
    "nested.example": ["v=spf1 include:amazonses.com ~all"],
    **{f"i{n}.example": [f"v=spf1 include:i{n + 1}.example ~all"] for n in range(12)},
}


async def _check(*records: str, required: tuple[str, ...] = (INCLUDE,), suggested: tuple[str, ...] = ()) -> SpfCheck:
    zone = {**ZONE, DOMAIN: list(records)}

    async def lookup(name: str, record_type: RecordType) -> DnsAnswer:
        if name == "down.example":
            return DnsAnswer("failed", fault="timeout")
        values = tuple(zone.get(name.lower().rstrip("."), ())) if record_type == "TXT" else ()
        return DnsAnswer("found", values) if values else DnsAnswer("no_data")

    return check_facts(DOMAIN, await fetch_facts(lookup, DOMAIN), required, suggested)


@pytest.mark.parametrize(
    ("record", "required"),
    [
        (f"v=spf1 {INCLUDE} ~all", (INCLUDE,)),
        ("V=SPF1 +Include:AmazonSES.com. -all", (INCLUDE,)),
        ("v=spf1 include:nested.example ?all", (INCLUDE,)),
        ("v=spf1 redirect=nested.example", (INCLUDE,)),
        ("v=spf1 redirect=amazonses.com", (INCLUDE,)),
        ("v=spf1 ip4:192.0.2.0/24 -all", ("ip4:192.0.2.17",)),
        ("v=spf1 ip6:2001:db8::/32 -all", ("ip6:2001:db8::1",)),
        ("v=spf1 mx -all", ()),
        ("v=spf1 exists:%{i}.a.example exists:%{i}.b.example exists:%{i}.c.example -all", ()),
    ],
)
async def test_a_record_that_allows_the_smarthost(record: str, required: tuple[str, ...]) -> None:
    assert (await _check(record, "another text", required=required)).check.status == "ok"


@pytest.mark.parametrize(
    ("records", "text", "expected"),
    [
        (["v=spf1 mx -all"], f"{INCLUDE} is missing", f"v=spf1 mx {INCLUDE} -all"),
        (["v=spf1 mx"], f"{INCLUDE} is missing", f"v=spf1 mx {INCLUDE}"),
        ([f"v=spf1 -{INCLUDE} ~all"], "is missing", f"v=spf1 -{INCLUDE} {INCLUDE} ~all"),
        ([f"v=spf1 {INCLUDE} +all"], "every server", f"v=spf1 {INCLUDE} ~all"),
        ([f"v=spf1 {INCLUDE} all"], "every server", f"v=spf1 {INCLUDE} ~all"),
        (["v=spf1 include:open.example -all"], "every server", f"v=spf1 include:open.example {INCLUDE} -all"),
        ([f"v=spf1 {INCLUDE} -all", "v=spf1 mx ~all"], "has 2 SPF records", f"v=spf1 {INCLUDE} mx -all"),
        ([f"v=spf1 include:i0.example {INCLUDE} -all"], "more than 10 terms", None),
        ([f"v=spf1 {INCLUDE} include:nothing.example -all"], "included domain without an SPF record", None),
        ([f"v=spf1 {INCLUDE} ip4:300.1.1.1 -all"], "syntax error", None),
    ],
)
async def test_what_is_wrong(records: list[str], text: str, expected: str | None) -> None:
    result = await _check(*records)
    assert (result.check.status, text in result.check.fix) == ("wrong", True), result.check.fix
    if expected is not None:
        assert result.expected == (expected,)


async def test_no_record() -> None:
    assert (await _check()).expected == (f"v=spf1 {INCLUDE} ~all",)
    guessed = await _check(required=(), suggested=("a:mail.example.com",))
    assert (guessed.check.status, guessed.expected) == ("missing", ("v=spf1 a:mail.example.com ~all",))
    assert (await _check(required=())).expected == ()


async def test_dns_that_does_not_answer_is_no_fault_of_the_record() -> None:
    result = await _check("v=spf1 include:down.example -all")
    assert (result.check.status, "no DNS response" in result.check.fix) == ("error", True)


@pytest.mark.parametrize(
    ("host", "terms"),
    [
        ("email-smtp.eu-west-1.amazonaws.com", (INCLUDE,)),
        ("smtp-relay.gmail.com", ("include:_spf.google.com",)),
        ("example-com.mail.protection.outlook.com", ("include:spf.protection.outlook.com",)),
        ("SMTP.eu.mailgun.org", ("include:mailgun.org",)),
        ("smtp.postmarkapp.com", ("include:spf.mtasv.net",)),
        ("smtp-relay.brevo.com", ("include:spf.brevo.com",)),
        ("smtp.sendgrid.net", ("include:sendgrid.net",)),
        ("smtp.sendgrid.net.example.org", ()),
        ("localhost", ()),
    ],
)
def test_providers(host: str, terms: tuple[str, ...]) -> None:
    assert guess_terms(host) == terms


@pytest.mark.parametrize(
    ("host", "is_upstream", "suggested"),
    [
        ("mail.example.net", False, ("a:mail.example.net",)),
        ("8.8.8.8", False, ("ip4:8.8.8.8",)),
        ("2606:4700:4700::1111", False, ("ip6:2606:4700:4700::1111",)),
        ("127.0.0.1", False, ("mx",)),
        ("10.1.2.3", False, ("mx",)),
        ("10.1.2.3", True, ()),
        ("::1", False, ("mx",)),
        ("localhost", False, ("mx",)),
    ],
)
def test_a_guess_for_an_unknown_smarthost_is_valid(host: str, is_upstream: bool, suggested: tuple[str, ...]) -> None:
    domain = Domain("dom_1", "ws_1", DOMAIN, "active", "t", "[]", 0, None, None, "upstream" if is_upstream else "here")
    assert smarthost_terms(domain, SmarthostUrl("smtp", host, 25), "").suggested == suggested

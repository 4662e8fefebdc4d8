"""DMARC: tree walks, policies and alignment."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from router.checks.dmarc import DmarcVerdict, evaluate, organizational_domain, tree_walk_names
from router.checks.dmarc_answers import fetch_alignment_answers, fetch_author_answers
from router.dns.answers import DnsAnswer, RecordType
from router.mail.auth_results import AuthResult, AuthWord

NO_DATA, NO_DOMAIN = DnsAnswer("no_data"), DnsAnswer("no_domain")
TIMEOUT = DnsAnswer("failed", fault="timeout")
NONE = AuthResult("spf", "none")
RUA = "rua=mailto:reports@example.com"


class Zone:
    """DNS with DMARC records by domain, a list for several. The existing names are those of `existing`."""

    def __init__(self, records: Mapping[str, str | list[str] | DnsAnswer], missing: Sequence[str] = ()) -> None:
        self._records = records
        self._missing = missing
        self.questions: list[str] = []

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        assert record_type == "TXT"
        self.questions.append(name)
        value = self._records.get(name.removeprefix("_dmarc."))
        if not name.startswith("_dmarc.") or value is None:
            return NO_DOMAIN if name in self._missing else NO_DATA
        if isinstance(value, DnsAnswer):
            return value
        return DnsAnswer("found", (value,) if isinstance(value, str) else tuple(value))


def check(
    zone: Zone, sender: str | Sequence[str], spf: AuthResult = NONE, dkim: Sequence[AuthResult] = ()
) -> DmarcVerdict:
    async def run() -> DmarcVerdict:
        domains = [sender] if isinstance(sender, str) else sender
        answers, from_exists = await fetch_author_answers(zone.query, domains)
        answers = await fetch_alignment_answers(zone.query, domains, answers, spf, dkim)
        return evaluate(domains, answers, spf, dkim, from_exists=from_exists)

    return asyncio.run(run())


def spf(domain: str, word: AuthWord = "pass") -> AuthResult:
    return AuthResult("spf", word, domain)


def dkim(domain: str, word: AuthWord = "pass") -> list[AuthResult]:
    return [AuthResult("dkim", "fail", "other.example"), AuthResult("dkim", word, domain, "s1")]


@pytest.mark.parametrize(
    ("domain", "names"),
    [
        ("com", ["com"]),
        ("example.com", ["example.com", "com"]),
        ("a.b.c.d.e.f.g", ["a.b.c.d.e.f.g", "b.c.d.e.f.g", "c.d.e.f.g", "d.e.f.g", "e.f.g", "f.g", "g"]),
        (
            "a.b.c.d.e.f.g.h",
            ["a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"],
        ),
        (
            "x.a.b.c.d.e.f.g.h",
            ["x.a.b.c.d.e.f.g.h", "b.c.d.e.f.g.h", "c.d.e.f.g.h", "d.e.f.g.h", "e.f.g.h", "f.g.h", "g.h", "h"],
        ),
        (  # the example of RFC 9989 section 4.10
            "a.b.c.d.e.f.g.h.i.j.mail.example.com",
            [
                *("a.b.c.d.e.f.g.h.i.j.mail.example.com", "g.h.i.j.mail.example.com", "h.i.j.mail.example.com"),
                *("i.j.mail.example.com", "j.mail.example.com", "mail.example.com", "example.com", "com"),
            ],
        ),
        ("Bücher.Example.", ["xn--bcher-kva.example", "example"]),
        (".".join(["a" * 61] * 4), [".".join(["a" * 61] * n) for n in (3, 2, 1)]),  # `_dmarc.` does not fit
        ("", []),
        ("a..b", []),
        ("exa mple.com", []),
        ("a" * 64 + ".com", []),
    ],
)
def test_tree_walk(domain: str, names: list[str]) -> None:
    assert tree_walk_names(domain) == tuple(f"_dmarc.{name}" for name in names)


@pytest.mark.parametrize(
    ("domain", "records", "expected"),
    [
        # The examples of RFC 9989 section 4.10.2.
        ("a.mail.example.com", {"mail.example.com": "v=DMARC1", "example.com": "v=DMARC1"}, "example.com"),
        ("a.mail.example.com", {"mail.example.com": "v=DMARC1; psd=n", "example.com": "v=DMARC1"}, "mail.example.com"),
        ("a.mail.example.com", {"com": "v=DMARC1; psd=y"}, "example.com"),
        # The examples of appendix B.4.
        ("signing.example.com", {"signing.example.com": "v=DMARC1", "example.com": "v=DMARC1"}, "example.com"),
        ("a.b.c.d.e.f.g.h.i.j.k.example.com", {"example.com": "v=DMARC1"}, "example.com"),
        ("mail.mega.bank.example", {"bank.example": "v=DMARC1; psd=y"}, "mega.bank.example"),
        ("mail.mega.bank.example", {"bank.example": "v=DMARC1; psd=y", "example": "v=DMARC1"}, "mega.bank.example"),
        ("bank.example", {"bank.example": "v=DMARC1; psd=y", "example": "v=DMARC1"}, "bank.example"),
        ("a.example.com", {}, "a.example.com"),
        ("a.example.com", {"com": "v=DMARC1"}, "com"),
        ("a.example.com", {"a.example.com": "v=DMARC1", "example.com": ["v=DMARC1", "v=DMARC1"]}, "a.example.com"),
        ("a.example.com", {"example.com": ["v=spf1 -all", "v=DMARC1"]}, "example.com"),
        ("a.example.com", {"a.example.com": TIMEOUT, "com": "v=DMARC1; psd=y"}, ""),
        ("a.example.com", {"example.com": "v=DMARC1; psd=n", "com": TIMEOUT}, "example.com"),
        ("a.example.com", {"a.example.com": "v=DMARC1; p=reject", "com": TIMEOUT}, ""),
        ("b.c.d.e.f.g.h.example", {"d.e.f.g.h.example": "v=DMARC1; psd=y"}, "c.d.e.f.g.h.example"),
        ("a.b.c.d.e.f.g.h.example", {"c.d.e.f.g.h.example": "v=DMARC1; psd=y"}, "b.c.d.e.f.g.h.example"),
    ],
)
def test_organizational_domain(domain: str, records: dict[str, str | list[str] | DnsAnswer], expected: str) -> None:
    answers, _ = asyncio.run(fetch_author_answers(Zone(records).query, [domain]))
    assert organizational_domain(domain, answers) == expected


class Policy(NamedTuple):
    records: dict[str, str | list[str] | DnsAnswer]
    word: AuthWord
    policy: str
    sender: str = "a.example.com"
    missing: tuple[str, ...] = ()


ALL_POLICIES = "v=DMARC1; p=none; sp=quarantine; np=reject"
NOT_EXISTING = ("a.example.com",)


@pytest.mark.parametrize(
    "case",
    [
        Policy({}, "none", ""),
        Policy({"a.example.com": ALL_POLICIES}, "fail", "none"),
        Policy({"a.example.com": ALL_POLICIES}, "fail", "none", missing=NOT_EXISTING),
        Policy({"example.com": ALL_POLICIES}, "fail", "quarantine"),
        Policy({"example.com": ALL_POLICIES}, "fail", "reject", missing=NOT_EXISTING),
        Policy({"example.com": "v=DMARC1; p=reject; sp=none"}, "fail", "none", missing=NOT_EXISTING),
        Policy({"example.com": "v=DMARC1; np=none; p=reject"}, "fail", "reject"),
        Policy({"example.com": "v=DMARC1; np=none; p=reject"}, "fail", "none", missing=NOT_EXISTING),
        Policy({"example.com": "v=DMARC1; p=reject"}, "fail", "reject", missing=NOT_EXISTING),
        Policy({"example.com": ALL_POLICIES}, "fail", "none", "example.com"),
        # The record of a domain between the two is not used.
        Policy(
            {"a.example.com": "v=DMARC1; p=reject", "example.com": ALL_POLICIES},
            "fail",
            "quarantine",
            "b.a.example.com",
        ),
        # Only the public suffix has a record.
        Policy({"com": "v=DMARC1; p=reject; sp=quarantine; np=none; psd=y"}, "fail", "quarantine"),
        Policy({"com": "v=DMARC1; p=none; np=reject; psd=y"}, "fail", "reject", missing=NOT_EXISTING),
        Policy({"com": "v=DMARC1; p=quarantine"}, "fail", "quarantine"),
        Policy({"com": "v=DMARC1; p=reject; psd=y", "example.com": "v=DMARC1; p=none"}, "fail", "none"),
        Policy({"com": "v=DMARC1; p=reject; sp=none; psd=y"}, "fail", "reject", "com"),
        # A step milder.
        Policy({"a.example.com": "v=DMARC1; p=reject; t=y"}, "fail", "quarantine"),
        Policy({"example.com": "v=DMARC1; p=none; sp=quarantine; t=y"}, "fail", "none"),
        Policy({"example.com": "v=DMARC1; p=none; np=reject; t=Y"}, "fail", "quarantine", missing=NOT_EXISTING),
        Policy({"a.example.com": "v=DMARC1; p=none; t=y"}, "fail", "none"),
        Policy({"a.example.com": "v=DMARC1; p=reject; t=yes; pct=0; ri=1; x-y=z"}, "fail", "reject"),
        # Records that count, and others.
        Policy({"a.example.com": "V = DMARC1 ;P = Reject ;"}, "fail", "reject"),
        Policy({"a.example.com": "v=dmarc1; p=reject"}, "none", ""),
        Policy({"a.example.com": "v=DMARC11; p=reject"}, "none", ""),
        Policy({"a.example.com": "p=reject; v=DMARC1"}, "none", ""),
        Policy({"a.example.com": " v=DMARC1; p=reject"}, "none", ""),
        Policy({"a.example.com": ["v=DMARC1; p=reject", "v=DMARC1; p=none"]}, "none", ""),
        Policy({"a.example.com": ["v=DMARC1; p=reject"] * 2, "example.com": ALL_POLICIES}, "fail", "quarantine"),
        Policy({"a.example.com": ["v=spf1 -all", "v=DMARC1; p=reject"]}, "fail", "reject"),
        # Invalid policies, with and without a valid `rua`.
        Policy({"a.example.com": "v=DMARC1; p=rejekt"}, "none", ""),
        Policy({"a.example.com": f"v=DMARC1; p=rejekt; {RUA}"}, "fail", "none"),
        Policy({"a.example.com": "v=DMARC1"}, "none", ""),
        Policy({"a.example.com": f"v=DMARC1; {RUA}"}, "fail", "none"),
        Policy({"a.example.com": "v=DMARC1; p=reject; sp=x; rua=none, mailto:a@example.com!10m"}, "fail", "none"),
        Policy({"a.example.com": "v=DMARC1; p=reject; np="}, "none", ""),
        Policy({"a.example.com": "v=DMARC1; p=reject; p=none"}, "none", ""),
        Policy({"a.example.com": "v=DMARC1; p=x; rua=reports@example.com"}, "none", ""),
        Policy({"a.example.com": "v=DMARC1; p=x; rua=mailto:a b@example.com"}, "none", ""),
        Policy({"example.com": f"v=DMARC1; sp=reject; {RUA}"}, "fail", "reject"),
        Policy({"a.example.com": "v=DMARC1; p=x", "example.com": ALL_POLICIES}, "fail", "quarantine"),
        # No answer.
        Policy({"a.example.com": TIMEOUT, "example.com": ALL_POLICIES}, "temperror", ""),
        Policy({"example.com": ALL_POLICIES, "com": TIMEOUT}, "temperror", ""),
        Policy({"a.example.com": "v=DMARC1; p=reject", "example.com": TIMEOUT}, "fail", "reject"),
    ],
)
def test_policy(case: Policy) -> None:
    verdict = check(Zone(case.records, case.missing), case.sender)
    assert (verdict.result.result, verdict.policy) == (case.word, case.policy)
    assert verdict.result.domain == case.sender
    assert not verdict.aligned


def test_unknown_existence_matters_only_if_the_policies_differ() -> None:
    for record, word in ((ALL_POLICIES, "temperror"), ("v=DMARC1; p=none; sp=reject", "fail")):
        answers, _ = asyncio.run(fetch_author_answers(Zone({"example.com": record}).query, ["a.example.com"]))
        verdict = evaluate(["a.example.com"], answers, NONE, (), from_exists=TIMEOUT)
        assert verdict.result.result == word


RELAXED, STRICT = "v=DMARC1; p=reject", "v=DMARC1; p=reject; aspf=s; adkim=s"


@pytest.mark.parametrize(
    ("records", "results", "word"),
    [
        ({"example.com": RELAXED}, {"spf": spf("a.example.com")}, "pass"),
        ({"example.com": RELAXED}, {"spf": spf("Example.com.")}, "pass"),
        ({"example.com": RELAXED}, {"spf": spf("b.c.example.com")}, "pass"),
        ({"example.com": RELAXED}, {"spf": spf("example.com", "softfail")}, "fail"),
        ({"example.com": RELAXED}, {"spf": spf("badexample.com")}, "fail"),
        ({"example.com": RELAXED}, {"spf": spf("example.org")}, "fail"),
        ({"example.com": RELAXED}, {"spf": spf("com")}, "fail"),
        ({"example.com": RELAXED}, {"dkim": dkim("example.com")}, "pass"),
        ({"example.com": RELAXED}, {"dkim": dkim("example.com", "policy")}, "fail"),
        ({"example.com": RELAXED}, {"dkim": dkim("example.com", "permerror")}, "fail"),
        ({"example.com": RELAXED, "b.example.com": "v=DMARC1; psd=n"}, {"dkim": dkim("b.example.com")}, "fail"),
        ({"example.com": "v=DMARC1; p=none; psd=y"}, {"dkim": dkim("b.example.com")}, "fail"),
        ({"com": "v=DMARC1; p=none; psd=y"}, {"dkim": dkim("b.example.com")}, "pass"),
        ({"a.example.com": STRICT}, {"spf": spf("a.example.com")}, "pass"),
        ({"a.example.com": STRICT}, {"spf": spf("example.com"), "dkim": dkim("b.a.example.com")}, "fail"),
        ({"a.example.com": "v=DMARC1; p=none; aspf=s"}, {"dkim": dkim("b.a.example.com")}, "pass"),
        ({"a.example.com": "v=DMARC1; p=none; adkim=s"}, {"dkim": dkim("b.a.example.com")}, "fail"),
        ({"example.com": STRICT}, {"dkim": dkim("example.com")}, "fail"),
        # Temporary errors count where the answer could make a pass.
        ({"example.com": RELAXED}, {"spf": spf("example.com", "temperror")}, "temperror"),
        ({"example.com": RELAXED}, {"spf": spf("example.org", "temperror")}, "fail"),
        ({"example.com": RELAXED}, {"dkim": dkim("", "temperror")}, "temperror"),
        ({"example.com": RELAXED}, {"spf": spf("example.com", "temperror"), "dkim": dkim("example.com")}, "pass"),
        ({"a.example.com": STRICT}, {"spf": spf("example.com", "temperror")}, "fail"),
        ({"a.example.com": RELAXED, "example.com": TIMEOUT}, {"spf": spf("a.example.com")}, "pass"),
        ({"a.example.com": RELAXED, "example.com": TIMEOUT}, {"spf": spf("example.com")}, "temperror"),
        ({"a.example.com": RELAXED, "example.com": TIMEOUT}, {"spf": spf("example.org")}, "fail"),
        ({"example.com": RELAXED, "b.example.com": TIMEOUT}, {"dkim": dkim("b.example.com")}, "temperror"),
    ],
)
def test_alignment(
    records: dict[str, str | list[str] | DnsAnswer], results: dict[str, AuthResult | list[AuthResult]], word: AuthWord
) -> None:
    verdict = check(Zone(records), "a.example.com", **results)  # type: ignore[arg-type]
    assert verdict.result.result == word
    assert verdict.aligned == (word == "pass")


@pytest.mark.parametrize(
    ("domain", "aligned"),
    [
        ("acme.example", True),
        ("bounces.acme.example", True),
        ("example", True),
        ("other.example", False),
        ("badacme.example", False),
        ("", False),
    ],
)
def test_alignment_without_a_record(domain: str, aligned: bool) -> None:
    verdict = check(Zone({}), "acme.example", spf(domain))
    assert (verdict.result.result, verdict.policy, verdict.aligned) == ("none", "", aligned)


def test_alignment_is_known_although_the_record_is_not() -> None:
    zone = Zone({"example.com": TIMEOUT})
    assert check(zone, "example.com", spf("example.com")).aligned
    assert not check(zone, "example.com", spf("b.example.com")).aligned


@pytest.mark.parametrize(
    ("domains", "word", "domain"),
    [
        ([], "none", ""),
        (["", "[192.0.2.1]"], "none", ""),
        (["example.com", "EXAMPLE.com."], "fail", "example.com"),
        (["example.com", "example.org"], "permerror", ""),
        (["example.com", "a..b"], "permerror", ""),
        (["bücher.example"], "none", "xn--bcher-kva.example"),
        (["exa mple.com"], "permerror", ""),
        (["a" * 300], "permerror", ""),
    ],
)
def test_domains_in_from(domains: list[str], word: AuthWord, domain: str) -> None:
    zone = Zone({"example.com": RELAXED})
    verdict = check(zone, domains)
    assert (verdict.result.result, verdict.result.domain) == (word, domain)
    assert bool(zone.questions) == bool(domain)


def test_few_questions_are_asked() -> None:
    zone = Zone({"example.com": RELAXED})
    results = [*dkim("example.com"), *dkim("c.b.example.com"), *dkim("example.org"), *dkim("b.example.com", "fail")]
    assert check(zone, "a.example.com", spf("bounce.mailer.example"), results).result.result == "pass"
    assert sorted(zone.questions) == sorted(
        [
            *("a.example.com", "_dmarc.a.example.com", "_dmarc.example.com", "_dmarc.com"),
            *("_dmarc.c.b.example.com", "_dmarc.b.example.com"),
        ]
    )
    long = Zone({})
    check(long, "a.b.c.d.e.f.g.h.i.j.k.example.com", spf("x.a.b.c.d.e.f.g.h.i.j.k.example.com"))
    assert len(long.questions) == 9


labels = st.sampled_from(["a", "b", "c", "_x", "mail", "example", "com"])
domains = st.lists(labels, min_size=1, max_size=14).map(".".join)
policies = st.sampled_from(["none", "quarantine", "reject", "x", ""])
tags = st.tuples(
    st.sampled_from(["p", "sp", "np", "t", "psd", "aspf", "adkim", "rua", "fo", "é"]), st.text() | policies
)
records = st.lists(tags, max_size=6).map(lambda found: "v=DMARC1;" + ";".join(map("=".join, found)))
answers = st.sampled_from([NO_DATA, NO_DOMAIN, TIMEOUT]) | st.lists(records | st.text(), max_size=2).map(
    lambda values: DnsAnswer("found", tuple(values))
)
words = st.sampled_from(["pass", "fail", "none", "temperror", "permerror"])


@given(domain=domains, records=st.data(), results=st.lists(st.tuples(words, domains | st.text()), max_size=3))
def test_a_walk_is_short_and_evaluation_never_raises(
    domain: str, records: st.DataObject, results: list[tuple[AuthWord, str]]
) -> None:
    names = tree_walk_names(domain)
    assert 1 <= len(names) <= 8
    assert list(names[1:]) == sorted(names[1:], key=len, reverse=True)
    assert all(f".{domain}".endswith(name.removeprefix("_dmarc")) for name in names)
    zone = records.draw(st.dictionaries(st.sampled_from(names), answers))
    found = [AuthResult("dkim", word, name) for word, name in results]
    verdict = evaluate([domain], zone, found[0] if found else NONE, found[1:], from_exists=zone.get(names[0]))
    if any(name not in zone or zone[name].status == "failed" for name in names[:1]):
        assert verdict.result.result == "temperror"
    if verdict.result.result == "fail":
        assert verdict.policy
        assert not verdict.aligned
    if verdict.organizational_domain:
        assert f".{domain}".endswith(f".{verdict.organizational_domain}")


@given(st.lists(st.text(), max_size=3))
@example(["\ud800.example"])
@example(["é" * 200])
def test_any_domains_in_from(domains: list[str]) -> None:
    verdict = check(Zone({}), domains)
    assert verdict.result.result in {"none", "permerror"}

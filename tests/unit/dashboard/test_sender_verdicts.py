"""The verdict that the page of a ticket shows for the results of the sender checks."""

from dataclasses import replace

import pytest

from api.dashboard.sender_verdicts import Verdict, build_view, display_domain
from router.admin.tickets.sender_checks import NO_CHECKS, SenderChecks
from router.admin.tickets.timeline import MessageExcerpt
from router.checks.decision import SenderFacts, decide
from router.checks.policy import CheckPolicy
from router.checks.results import MessageChecks
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthResult, AuthWord
from router.model import Message

NO_FACTS = SenderFacts()


def excerpt(checks: SenderChecks) -> MessageExcerpt:
    message = Message(
        "msg_1", "ws_1", "", "", "192.0.2.1", "SMTP", "", "", 1, 0, "", "[]", "ada@a.test", "", "", None, ""
    )
    return MessageExcerpt(message, (), "", True, False, 0, False, False, False, (), (), (), (), None, checks)


def find_verdict(dmarc: AuthWord | None, facts: SenderFacts = NO_FACTS, domain: str = "a.test") -> Verdict:
    found = (AuthResult("spf", "pass", "b.test"), *([AuthResult("dmarc", dmarc, domain)] if dmarc else []))
    view = build_view(excerpt(SenderChecks(MessageChecks("done", 1, results=found, facts=facts))))
    assert view is not None
    return view.verdict


@pytest.mark.parametrize(
    ("dmarc", "facts", "kind", "domain"),
    [
        ("pass", NO_FACTS, "verified", "a.test"),
        ("fail", NO_FACTS, "forged", "a.test"),
        ("fail", SenderFacts(is_relayed=True), "unverified", ""),
        ("none", SenderFacts(is_relayed=True, is_own_domain=True), "forged", "a.test"),
        ("none", NO_FACTS, "unverified", ""),
        ("none", SenderFacts(aligned=True), "verified", "a.test"),
        ("none", SenderFacts(is_own_domain=True), "forged", "a.test"),
        ("none", SenderFacts(is_own_domain=True, aligned=True), "verified", "a.test"),
        ("permerror", SenderFacts(from_domain="a.test", aligned=True), "unverified", ""),
        ("permerror", SenderFacts(is_own_domain=True), "forged", "a.test"),
        ("temperror", SenderFacts(is_own_domain=True), "forged", "a.test"),
        ("temperror", NO_FACTS, "unverified", ""),
        (None, NO_FACTS, "unverified", ""),
    ],
)
def test_verdict(dmarc: AuthWord | None, facts: SenderFacts, kind: str, domain: str) -> None:
    verdict = find_verdict(dmarc, facts)
    assert (verdict.kind, verdict.domain) == (kind, domain)
    known = replace(facts, dmarc=dmarc or "", from_domain="a.test")
    assert (kind == "forged") == bool(decide(known, None, CheckPolicy()).warning), "it agrees with the warning"


def test_several_domains_in_from() -> None:
    verdict = find_verdict("permerror", SenderFacts(from_domain=""))
    assert (verdict.kind, verdict.domain) == ("forged", "")
    assert decide(SenderFacts(dmarc="permerror"), None, CheckPolicy()).warning


def test_the_domain_of_from_stands_in_for_a_result_without_one() -> None:
    assert find_verdict("fail", domain="").domain == "a.test"


def test_a_missing_answer_is_no_missing_proof() -> None:
    assert "could not be checked" in find_verdict("temperror").hint
    assert "could not be checked" not in find_verdict("none").hint


def test_messages_without_results() -> None:
    assert build_view(excerpt(NO_CHECKS)) is None
    pending = build_view(excerpt(SenderChecks(is_queued=True)))
    assert pending is not None
    assert (pending.verdict.kind, pending.rows) == ("pending", ())


def test_the_spam_filter_shows_what_matters_most() -> None:
    symbols = tuple(SpamSymbol(f"S{n}", n - 20) for n in range(40))
    spam = SpamVerdict("rspamd", 7.25, 15, "add header", symbols)
    view = build_view(excerpt(SenderChecks(MessageChecks("done", 1, spam=spam))))
    assert view is not None
    assert (view.source, view.score) == ("rspamd", "7.25 of 15, add header")
    assert [symbol.name for symbol in view.symbols[:3]] == ["S0", "S1", "S39"]
    assert len(view.symbols) == 10


@pytest.mark.parametrize(
    ("domain", "shown"),
    [
        ("example.com", "example.com"),
        ("xn--cme-5cd.example", "xn--cme-5cd.example"),
        ("\u0430cme.example", "xn--cme-5cd.example"),
        ("b\u00fccher.example", "b\u00fccher.example"),
        (f"example.com.{'a.' * 100}evil.test", f"\u2026{('a.' * 100)[-70:]}evil.test"),
        ("exa\u200bmple\u202e.com", "xn--example-2z6c7l.com"),
    ],
)
def test_deceptive_domains_are_shown_as_a_labels(domain: str, shown: str) -> None:
    assert display_domain(domain) == shown

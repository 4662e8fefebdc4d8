"""The verdict that the page of a ticket shows for the results of the sender checks."""

import pytest

from api.dashboard.sender_verdicts import Verdict, build_view, display_domain
from router.admin.tickets.sender_checks import NO_CHECKS, SenderChecks
from router.admin.tickets.timeline import MessageExcerpt
from router.checks.results import MessageChecks
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from router.mail.auth_results import AuthMethod, AuthResult, AuthWord
from router.model import Message


def excerpt(checks: SenderChecks) -> MessageExcerpt:
    message = Message(
        "msg_1", "ws_1", "", "", "192.0.2.1", "SMTP", "", "", 1, 0, "", "[]", "ada@a.test", "", "", None, ""
    )
    return MessageExcerpt(message, (), "", True, False, 0, False, False, False, (), (), (), (), None, checks)


def find_verdict(*results: tuple[AuthMethod, AuthWord, str]) -> Verdict:
    found = tuple(AuthResult(method, word, domain) for method, word, domain in results)
    view = build_view(excerpt(SenderChecks(MessageChecks("done", 1, results=found))))
    assert view is not None
    return view.verdict


@pytest.mark.parametrize(
    ("results", "kind", "domain"),
    [
        ([("dmarc", "pass", "a.test"), ("spf", "fail", "b.test")], "verified", "a.test"),
        ([("dmarc", "fail", "a.test"), ("dkim", "pass", "b.test")], "forged", "a.test"),
        ([("dmarc", "fail", "")], "forged", "a.test"),
        ([("dmarc", "none", "a.test"), ("dkim", "pass", "a.test")], "verified", "a.test"),
        ([("dmarc", "none", "a.test"), ("spf", "pass", "a.test")], "verified", "a.test"),
        ([("dmarc", "none", "a.test"), ("dkim", "pass", "b.test"), ("spf", "fail", "a.test")], "unverified", ""),
        ([("dmarc", "none", "a.test"), ("iprev", "pass", "a.test"), ("arc", "pass", "a.test")], "unverified", ""),
        ([("dmarc", "none", ""), ("spf", "pass", "")], "unverified", ""),
        ([("dmarc", "permerror", "a.test"), ("dkim", "pass", "a.test")], "unverified", ""),
        ([("spf", "pass", "a.test")], "unverified", ""),
        ([], "unverified", ""),
    ],
)
def test_verdict(results: list[tuple[AuthMethod, AuthWord, str]], kind: str, domain: str) -> None:
    verdict = find_verdict(*results)
    assert (verdict.kind, verdict.domain) == (kind, domain)


def test_a_missing_answer_is_no_missing_proof() -> None:
    assert "DNS did not answer" in find_verdict(("dmarc", "temperror", "a.test")).hint
    assert "DNS" not in find_verdict(("dmarc", "none", "a.test")).hint


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
        ("exa\u200bmple\u202e.com", "xn--example-2z6c7l.com"),
    ],
)
def test_deceptive_domains_are_shown_as_a_labels(domain: str, shown: str) -> None:
    assert display_domain(domain) == shown

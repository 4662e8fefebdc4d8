"""The answers of rspamd, and the header fields that describe a message to it."""

import json
from typing import Any

import pytest

from router.checks import rspamd
from router.checks.rspamd import SessionFacts, VerdictError, arc_result, parse_verdict, request_headers
from router.checks.spam_verdict import SpamSymbol, SpamVerdict
from tests.support.rspamd import make_body

FACTS = SessionFacts(
    peer="::ffff:192.0.2.7",
    helo="mx.example.net",
    hostname="mx.example.net",
    reverse_path="bounce@example.net",
    recipients=("a@example.com", '"b,c"@example.com'),
    message_id="msg_1",
    tls="TLSv1.3 TLS_AES_256_GCM_SHA384",
)


def parse(body: str) -> SpamVerdict:
    verdict = parse_verdict(body.encode())
    assert verdict is not None
    return verdict


def test_verdict() -> None:
    verdict = parse(make_body(7.5, "add header", symbols={"MIME_GOOD": -0.1, "BAYES_SPAM": 5.1, "DMARC_NA": 0.0}))
    assert (verdict.source, verdict.score, verdict.required, verdict.action) == ("rspamd", 7.5, 15.0, "add header")
    assert verdict.symbols == (
        SpamSymbol("BAYES_SPAM", 5.1, "about BAYES_SPAM"),
        SpamSymbol("DMARC_NA", 0.0, "about DMARC_NA"),
        SpamSymbol("MIME_GOOD", -0.1, "about MIME_GOOD"),
    )


@pytest.mark.parametrize(
    "body",
    [
        "",
        "<html>",
        "[]",
        "{}",
        "[" * 100_000,
        '{"action": 1}',
        '{"action": "reject", "symbols": {}}',
        '{"action": "reject", "score": 1, "required_score": 2, "symbols": []}',
        '{"action": "reject", "score": 1, "required_score": 2, "symbols": {"A": 3}}',
        make_body("7", "reject"),
        make_body(True, "reject"),
        make_body(float("nan"), "reject"),
        make_body(float("inf"), "reject"),
        make_body(10**400, "reject"),
        make_body(1, "reject", symbols={"A": float("-inf")}),
        make_body(1, None),
    ],
)
def test_malformed_answer(body: str) -> None:
    with pytest.raises(VerdictError):
        parse_verdict(body.encode())


def test_answer_that_is_not_text() -> None:
    with pytest.raises(VerdictError):
        parse_verdict(b"\xff\xfe{")


def test_skipped_message_has_no_verdict_unless_it_is_rejected() -> None:
    assert parse_verdict(make_body(0.0, "no action", is_skipped=True).encode()) is None
    assert parse(make_body(15.0, "reject", is_skipped=True)).is_spam(None)


def test_symbols_and_texts_are_bounded() -> None:
    scores = {f"S{number}": float(number) for number in range(500)}
    found = json.loads(make_body(1, "reject", symbols=scores | {"ARC_ALLOW": -1.0}))
    found["symbols"]["S499"]["description"] = "two\r\nlines\u202e " + "x" * 10_000
    found["symbols"]["S498"]["description"] = ["no text"]
    verdict = parse(json.dumps(found))
    assert [symbol.name for symbol in verdict.symbols] == [f"S{number}" for number in range(499, 400, -1)] + [
        "ARC_ALLOW"
    ]
    assert verdict.symbols[0].description.startswith("two lines xxx")
    assert len(verdict.symbols[0].description) == rspamd.MAX_DESCRIPTION
    assert verdict.symbols[1].description == ""


@pytest.mark.parametrize(
    ("action", "score", "spam_score", "expected"),
    [
        ("no action", 3.0, None, False),
        ("greylist", 5.0, None, False),
        ("soft reject", 99.0, None, False),
        ("add header", 7.0, None, True),
        ("rewrite subject", 8.0, None, True),
        ("reject", 16.0, None, True),
        ("discard", 0.0, None, True),
        ("quarantine", 0.0, None, True),
        # A score of the workspace replaces the thresholds below a rejection.
        ("no action", 3.0, 3.0, True),
        ("greylist", 5.0, 5.5, False),
        ("add header", 7.0, 10.0, False),
        ("rewrite subject", 10.0, 10.0, True),
        ("reject", 15.0, 20.0, True),
    ],
)
def test_spam(action: str, score: float, spam_score: float | None, expected: bool) -> None:
    verdict = SpamVerdict("rspamd", score, 15.0, action)
    assert verdict.is_spam(spam_score) is expected


@pytest.mark.parametrize(
    ("symbol", "word"),
    [
        ("ARC_ALLOW", "pass"),
        ("ARC_REJECT", "fail"),
        ("ARC_INVALID", "fail"),
        ("ARC_DNSFAIL", "temperror"),
        ("ARC_NA", "none"),
    ],
)
def test_arc(symbol: str, word: str) -> None:
    result = arc_result(parse(make_body(1, "no action", symbols={symbol: 0.0})))
    assert result is not None
    assert (result.method, result.result) == ("arc", word)
    assert arc_result(parse(make_body(1, "no action"))) is None


def test_header_fields() -> None:
    assert list(request_headers(FACTS, "mx1.example.com")) == [
        ("IP", "192.0.2.7"),
        ("Helo", "mx.example.net"),
        ("Hostname", "mx.example.net"),
        ("From", "<bounce@example.net>"),
        ("Rcpt", "<a@example.com>"),
        ("Rcpt", '<"b,c"@example.com>'),
        ("Queue-ID", "msg_1"),
        ("MTA-Name", "mx1.example.com"),
        ("TLS-Version", "TLSv1.3"),
        ("TLS-Cipher", "TLS_AES_256_GCM_SHA384"),
    ]


def test_unknown_facts_are_not_sent() -> None:
    facts = SessionFacts("", "", "", "", (), "msg_1")
    assert dict(request_headers(facts, "mx1.example.com")) == {
        "From": "<>",
        "Queue-ID": "msg_1",
        "MTA-Name": "mx1.example.com",
    }


@pytest.mark.parametrize(
    ("changes", "name", "value"),
    [
        ({"helo": "a\r\nPassword: x\x00\x7f"}, "Helo", "a??Password: x??"),
        ({"helo": " \t "}, "Helo", "?"),
        ({"hostname": "\udcff"}, "Hostname", "?"),
        ({"peer": "unix:/run/x\r\n"}, "IP", None),
        ({"reverse_path": "bücher@bücher.example"}, "From", "<b?cher@xn--bcher-kva.example>"),
        ({"reverse_path": "a@\u200d\u200d.example"}, "From", "<a@??.example>"),
        ({"helo": "x" * 100_000}, "Helo", "x" * rspamd.MAX_VALUE),
    ],
)
def test_values_of_strangers_are_cleaned(changes: dict[str, Any], name: str, value: str | None) -> None:
    values = {field: getattr(FACTS, field) for field in FACTS.__slots__} | changes
    assert dict(request_headers(SessionFacts(**values), "mx1.example.com")).get(name) == value


def test_recipients_are_bounded() -> None:
    facts = SessionFacts("", "", "", "", tuple(f"a{number}@example.com" for number in range(1000)), "msg_1")
    names = [name for name, _ in request_headers(facts, "mx1.example.com")]
    assert names.count("Rcpt") == rspamd.MAX_RECIPIENTS

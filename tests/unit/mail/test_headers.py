"""Attributes of HeaderFacts, for valid and malformed headers."""

from __future__ import annotations

import pytest

from router.mail.headers import (
    MAX_ID_BYTES,
    MAX_PARTICIPANTS,
    MAX_REFERENCES,
    MAX_TEXT_LENGTH,
    HeaderFacts,
    find_header_block,
    read_headers,
)
from router.mail.mailboxes import normalize_address, read_mailboxes


def read_facts(*lines: str | bytes) -> HeaderFacts:
    return read_headers(b"\r\n".join(line.encode() if isinstance(line, str) else line for line in (*lines, "", "body")))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"eva@example.org", [("", "eva@example.org")]),
        (b"Eva Muster <Eva@Example.ORG>", [("Eva Muster", "Eva@example.org")]),
        (b'"Muster, Eva" <eva@example.org>', [("Muster, Eva", "eva@example.org")]),
        (b"Muster, Eva <eva@example.org>", [("Muster, Eva", "eva@example.org")]),
        (b"eva@example.org (Eva)", [("Eva", "eva@example.org")]),
        (b"eva@example.org <eva@example.org>", [("", "eva@example.org")]),
        (b"=?utf-8?Q?Eva_=3Ceva=40example.org=3E?=", [("Eva", "eva@example.org")]),
        (b"=?utf-8?Q?a,b?= <a@example.org>, <b@example.org", [("a,b", "a@example.org"), ("", "b@example.org")]),
        (b'"=?utf-8?Q?in_quotes?=" <a@example.org>', [("in quotes", "a@example.org")]),
        (b"<mailto:eva@example.org>", [("", "eva@example.org")]),
        (b"Eva <<eva@example.org>>", [("Eva", "eva@example.org")]),
        (b"Eva [eva@example.org]", [("Eva", "eva@example.org")]),
        (b'a@example.org, "e@v a"@example.org', [("", "a@example.org"), ("", '"e@v a"@example.org')]),
        (b"<@relay,@other:eva@example.org>", [("", "eva@example.org")]),
        (b'"eva muster"@example.org', [("", '"eva muster"@example.org')]),
        (b'<"eva"@example.org>', [("", "eva@example.org")]),
        (b"undisclosed-recipients:;", []),
        (b"team: a@example.org, b@example.org; c@example.org", [("", f"{x}@example.org") for x in "abc"]),
        (b"root", [("", "root")]),
        (b"MAILER-DAEMON (Mail Delivery)", [("Mail Delivery", "MAILER-DAEMON")]),
        (b"some words only", []),
        (b"<>", []),
        (b"", []),
        ("Jörg <jörg@exämple.org>".encode(), [("Jörg", "jörg@exämple.org")]),
        (b"J\xf6rg <j@example.org>", [("Jörg", "j@example.org")]),
        (b"\x1b$B;3ED\x1b(B <y@example.org>", [("山田", "y@example.org")]),
        (b'"unclosed <a@example.org>', [("unclosed", "a@example.org")]),
        (b"a@" + b"x" * 400 + b" <b@example.org>", [("a@" + "x" * 318, "b@example.org")]),
    ],
)
def test_mailboxes(value: bytes, expected: list[tuple[str, str]]) -> None:
    assert read_mailboxes(value) == expected


def test_normalize_address() -> None:
    assert normalize_address("JÖRG@Exämple.org") == normalize_address("jörg@xn--exmple-cua.ORG")
    assert normalize_address("Eva@EXAMPLE.org") == "eva@example.org"


def test_references_are_newest_first_without_duplicates() -> None:
    found = read_facts("In-Reply-To: <c@x>", "References: <a@x> (note) <b@x>", "\t<c@x> <a@x>")
    assert found.reference_ids == ("c@x", "a@x", "b@x")


def test_references_keep_the_newest_hundred() -> None:
    found = read_facts("References: " + "\r\n ".join(f"<{n}@x>" for n in range(300)))
    assert len(found.reference_ids) == MAX_REFERENCES
    assert found.reference_ids[0] == "299@x"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("<id@example.org>", "id@example.org"),
        ("id@example.org", "id@example.org"),
        ("<folded\r\n .id@example.org>", "folded.id@example.org"),
        ("<" + "x" * MAX_ID_BYTES + ">", "x" * MAX_ID_BYTES),
        ("<" + "x" * (MAX_ID_BYTES + 1) + ">", ""),
        ("<ü@example.org>", "ü@example.org"),
        ("", ""),
    ],
)
def test_message_id(value: str, expected: str) -> None:
    found = read_facts(f"Message-ID: {value}")
    assert found.rfc_message_id == expected
    assert found.has_message_id == (value != "")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Fri, 21 Nov 2025 10:00:00 +0100", 1763715600),
        ("21 Nov 2025 09:00 GMT", 1763715600),
        ("Fri, 21 Nov 2025 10:00:00 +0100 (CET)", 1763715600),
        ("Fri Nov 21 09:00:00 2025", 1763715600),
        ("Fri, 31 Dec 9999 00:00:00 +0000", None),
        ("1 Jan 1960 00:00:00 +0000", None),
        ("Fri, 99 Nov 2025 99:99:99 +9999", None),
        ("yesterday", None),
    ],
)
def test_date(value: str, expected: int | None) -> None:
    found = read_facts(f"Date: {value}")
    assert found.sent_at == (None if expected is None else expected * 1_000_000)
    assert found.has_date


def test_missing_fields_are_empty() -> None:
    found = read_headers(b"")
    assert found.rfc_message_id == found.from_address == found.from_name == found.subject == ""
    assert found.sent_at is None
    assert not found.has_date
    assert not found.has_message_id
    assert found.participants == ()


def test_participants_are_unique() -> None:
    found = read_facts(
        "From: A@example.org",
        "Reply-To: b@example.org",
        "Sender: c@example.org",
        "To: d@example.org, A@EXAMPLE.org",
        "Cc: team: e@example.org;",
        "Bcc: f@example.org",
        "To: root",
    )  # fmt: skip - one field per line, like a header
    assert found.participants == tuple(f"{x}@example.org" for x in "abcde")


def test_deceptive_characters_are_removed_from_senders() -> None:
    found = read_facts("From: \u202eEva\u200b \U0001f469\u200d\U0001f4bb <e\u200dv\u200ba@\u200ecustomer.example>")
    assert (found.from_name, found.from_address) == ("Eva \U0001f469\u200d\U0001f4bb", "eva@customer.example")
    assert found.participants == ("eva@customer.example",)


@pytest.mark.parametrize(
    ("lines", "author"),
    [
        (["From: a@example.org", "Reply-To: b@example.org"], "a@example.org"),
        (["From: a@example.org", "Reply-To: b@example.org", "List-Id: <news.list.test>"], "a@example.org"),
        (["From: News@list.test", "Reply-To: B@example.org", "List-Id: News <news.list.test>"], "b@example.org"),
        (["From: news@list.test", "Reply-To: news@list.test", "List-Id: news.list.test"], "news@list.test"),
        (
            ["From: news@list.test", "Reply-To: news@list.test, b@example.org", "List-Id: news.list.test"],
            "b@example.org",
        ),
        (["From: x@list.test", "X-Original-From: B <b@example.org>", "List-Id: <news.list.test>"], "b@example.org"),
        (["From: x@list.test", "X-Original-Sender: b@example.org", "List-Id: <news.list.test>"], "b@example.org"),
        (["From: x@list.test", "X-Original-From: B <b@example.org>"], "x@list.test"),
        (["Subject: x"], ""),
    ],
)
def test_author_of_a_message_with_a_rewritten_from(lines: list[str], author: str) -> None:
    found = read_facts(*lines)
    assert found.author == author
    assert not author or author in found.participants


def test_participants_are_bounded() -> None:
    assert len(read_facts("To: " + ", ".join(f"p{n}@example.org" for n in range(999))).participants) == MAX_PARTICIPANTS


def test_subject_is_one_bounded_line() -> None:
    assert read_facts("Subject: a\x00b\r\n\tc\u202ed").subject == "ab cd"
    assert read_facts("Subject: \u200f\u200b a \u2060 b\u200e").subject == "a b"
    assert len(read_facts("Subject: " + "ä" * 5000).subject) == MAX_TEXT_LENGTH


@pytest.mark.parametrize("line_end", [b"\r\n", b"\n", b"\r", b"\r\r\n"])
def test_line_endings(line_end: bytes) -> None:
    content = line_end.join([b"From: a@example.org", b"Subject: one", b" two", b"", b"Subject: body"])
    found = read_headers(content)
    assert (found.from_address, found.subject) == ("a@example.org", "one two")


def test_bare_cr_inside_a_field_does_not_end_the_line() -> None:
    assert read_facts("Subject: a\rFrom: forged@example.org", "From: a@example.org").from_address == "a@example.org"


def test_garbage_between_fields_is_skipped() -> None:
    found = read_facts("From eva Fri Nov 21", "From: a@example.org", "garbage", "Subject: after")
    assert (found.from_address, found.subject) == ("a@example.org", "after")


def test_oversized_header_is_truncated() -> None:
    content = b"Subject: first\r\n" + b"X-Fill: x\r\n" * 100_000 + b"To: late@example.org\r\n\r\n"
    assert find_header_block(content, 4096).warnings == ("header too large",)
    found = read_headers(content, max_bytes=4096)
    assert found.subject == "first"
    assert found.participants == ()


def test_raw_bytes_use_the_charset_of_the_body() -> None:
    found = read_facts("Subject: Привет".encode("koi8-r"), "Content-Type: text/plain; charset=koi8-r")
    assert found.subject == "Привет"

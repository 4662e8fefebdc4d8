"""The failed recipients that bounces report."""

from __future__ import annotations

import pytest

from router.mail.bounces import parse_report
from router.mail.parse import parse

HEADER = b"From: MAILER-DAEMON@mx.example.org\r\nSubject: failure notice\r\n"
REPORT = (
    HEADER + b"Content-Type: multipart/report; report-type=delivery-status; boundary=z\r\n\r\n--z\r\n\r\nSorry.\r\n"
    b"--z\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example.org\r\n\r\n%s\r\n--z--\r\n"
)


def test_parse_report() -> None:
    report = (
        b"Reporting-MTA: dns; mx\r\n\r\nOriginal-Recipient: rfc822;a@x\r\nFinal-Recipient: rfc822; b@x\r\n"
        b"Action: Failed\r\n"
        b"Status: 5.1.1\r\nDiagnostic-Code: smtp; 550\r\n no such user\r\n\r\nFinal-Recipient: rfc822; c@x\r\n"
        b"Action: relayed\r\n\r\nFinal-Recipient: rfc822; d@x\r\nAction: delayed\r\n"
    )
    assert [failure.summary() for failure in parse_report(report)] == [
        "Failed: b@x, original recipient a@x (5.1.1, 550 no such user)",
        "Delayed: d@x",
    ]
    assert parse_report(b"\r" * 65536 + b":") == []


@pytest.mark.parametrize(
    ("recipients", "expected"),
    [
        (b"Final-Recipient: rfc822; bob@gone.example\r\nAction: failed\r\n", ("bob@gone.example",)),
        (
            b"Original-Recipient: rfc822;info@shop.example\r\nFinal-Recipient: rfc822;bob@gone.example\r\n"
            b"Action: failed\r\n",
            ("info@shop.example",),
        ),
        (
            b"Original-Recipient: rfc822;unknown\r\nFinal-Recipient: rfc822;<bob@gone.example>\r\n"
            b"Action: failed (5)\r\n\r\nFinal-Recipient: rfc822; BOB@gone.example\r\n\r\n"
            b"Final-Recipient: rfc822; eve@gone.example (Eve)\r\n",
            ("BOB@gone.example", "eve@gone.example"),
        ),
        (
            b"Original-Recipient: rfc822;bob+2Bshop@gone.example\r\nFinal-Recipient: LOCAL; bob\r\n",
            ("bob+shop@gone.example",),
        ),
        (b"Final-Recipient: utf-8; j\\x{F6}rg@m\\x{FC}ller.example\r\n", ("jörg@müller.example",)),
        (b"Final-Recipient: utf-8; \\x{D800}@gone.example\r\n", ("\ufffd@gone.example",)),
        (b"Final-Recipient: rfc822; mailto:bob@gone.example\r\n", ("bob@gone.example",)),
        (b'Final-Recipient: rfc822; "b b"@gone.example\r\n', ('"b b"@gone.example',)),
        (b"Final-Recipient: rfc822;bob@gone.example\r\nAction: delayed\r\n", ()),
        (b"Final-Recipient: rfc822;bob@gone.example\r\nAction: delivered\r\n", ()),
        (b"Final-Recipient: x400; /c=de/\r\nAction: failed\r\n", ()),
    ],
)
def test_failed_recipients_from_report(recipients: bytes, expected: tuple[str, ...]) -> None:
    assert parse(REPORT % recipients).failed_recipients == expected


def test_summary_contains_the_original_recipient() -> None:
    group = b"Original-Recipient: rfc822;info@shop.example\r\nFinal-Recipient: rfc822;bob@gone.example\r\n"
    assert parse(REPORT % group).text == "Sorry.\n\nFailed: bob@gone.example, original recipient info@shop.example"


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        (
            b"X-Failed-Recipients: bob@gone.example, eve@gone.example\r\n\r\nSorry.",
            ("bob@gone.example", "eve@gone.example"),
        ),
        (
            b"\r\nHi. This is the mail program.\r\n\r\n<bob@gone.example>:\r\nNo mailbox here.\r\n\r\n"
            b"--- Below this line is a copy of the message.\r\n\r\neve@shop.example\r\n",
            ("bob@gone.example",),
        ),
        (
            b"\r\nThe following address(es) failed:\r\n\r\n  bob@gone.example\r\n    Unrouteable address\r\n\r\n"
            b"------ This is a copy of the message. ------\r\n",
            ("bob@gone.example",),
        ),
        (b"\r\n<bob@gone.example>: host mx.gone.example said: 550 5.1.1\r\n", ("bob@gone.example",)),
        (
            b"\r\nDelivery has failed to:\r\n\r\nBob (bob@gone.example)<mailto:bob@gone.example>\r\n",
            ("bob@gone.example",),
        ),
        (
            b"X-Failed-Recipients: new@gone.example\r\n\r\nThese addresses failed:\r\n\r\n  new@gone.example\r\n"
            b"    (generated from bob@gone.example)\r\n    Unrouteable address\r\n",
            ("bob@gone.example",),
        ),
        (
            b"\r\n  eve@gone.example\r\n    Mailbox full\r\n\r\n  |/usr/bin/filter\r\n"
            b"    (generated from bob@gone.example)\r\n",
            ("eve@gone.example", "bob@gone.example"),
        ),
        (
            b"\r\n<new@gone.example> (expanded from <bob@gone.example>): unknown user\r\n",
            ("bob@gone.example",),
        ),
        (
            b"\r\n<new@gone.example>\r\n    (reason: 550 unknown)\r\n    (expanded from: <bob@gone.example>)\r\n",
            ("bob@gone.example",),
        ),
        (b"\r\nYour message to bob@gone.example couldn't be delivered.\r\n", ("bob@gone.example",)),
        (b"\r\nTo: bob@gone.example\r\nQuestions: ask eve@shop.example.\r\nMAILER-DAEMON@mx.example.org\r\n", ()),
        (
            b"Content-Type: multipart/mixed; boundary=z\r\n\r\n--z\r\n\r\nSorry.\r\n--z\r\n"
            b"Content-Type: message/rfc822\r\n\r\nTo: Bob <bob@gone.example>\r\nSubject: x\r\n\r\nHello\r\n--z--\r\n",
            ("bob@gone.example",),
        ),
        (
            b"Content-Type: message/rfc822\r\n\r\nTo: bob@gone.example, eve@gone.example\r\n\r\nHello\r\n",
            (),
        ),
    ],
)
def test_failed_recipients_without_report(rest: bytes, expected: tuple[str, ...]) -> None:
    assert parse(HEADER + rest).failed_recipients == expected


def test_a_quoted_bounce_has_no_failed_recipients() -> None:
    assert (
        parse(b"From: ana@example.org\r\n\r\nWhat is this?\r\n\r\n<bob@gone.example>:\r\nSorry\r\n").failed_recipients
        == ()
    )

"""Which mail is a program's."""

from __future__ import annotations

import pytest

from router.mail.automatic import verdict
from router.mail.headers import read_headers


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("Subject: a question", ""),
        ("Auto-Submitted: no", ""),
        ("X-Auto-Response-Suppress: All", ""),
        ("Precedence: first-class", ""),
        ("Subject: Out of the office next week?\nIn-Reply-To: <a@b>", ""),
        ("Auto-Submitted: auto-replied", "auto-reply"),
        ("Auto-Submitted: auto-replied; owner-email=x", "auto-reply"),
        ("Auto-Submitted: Auto-Generated (alert)", "bulk"),
        ("Auto-Submitted: auto-generated\nSubject: Automatic reply: x", "auto-reply"),
        ("Auto-Submitted: auto-generated\nIn-Reply-To: <a@b>", "auto-reply"),
        ("X-Autoreply: yes", "auto-reply"),
        ("Precedence: auto_reply", "auto-reply"),
        ("Content-Type: multipart/report; report-type=disposition-notification; boundary=x", "auto-reply"),
        ("List-Id: <a.b.c>", "list"),
        ("Precedence: list", "list"),
        ("Precedence: bulk", "bulk"),
        ("Precedence: junk", "bulk"),
        ("List-Unsubscribe: <https://x.example>", "bulk"),
        ('Content-Type: multipart/report; boundary=x;\n report-type="delivery-status"', "bounce"),
        ("X-Failed-Recipients: a@b.example", "bounce"),
        ("From: MAILER-DAEMON@x.example\nSubject: failure notice", "bounce"),
        ("From: Mail Delivery <Mailer-Daemon@x.example>\nSubject: Undeliverable: hello", "bounce"),
        ("From: postmaster@x.example\nSubject: our new MX hosts", ""),
        ("Subject: Undeliverable parcel", ""),
        ("X-EmailRouter-Mark: 1\nAuto-Submitted: auto-replied", "loop"),
        ("x-emailrouter-mark: ", "loop"),
    ],
)
def test_headers(header: str, expected: str) -> None:
    assert read_headers(f"{header}\n\nbody".encode()).automatic == expected


def test_null_reverse_path() -> None:
    assert verdict("", null_reverse_path=False) == ""
    assert verdict("", null_reverse_path=True) == "bounce"
    assert verdict("", null_reverse_path=True, subject="Automatische Antwort: x") == "auto-reply"
    assert verdict("list", null_reverse_path=True) == "list"

"""Parameters of MIME fields (RFC 2045 section 5.1), as mail programs write them."""

from __future__ import annotations

import pytest

from router.mail.parse import parse


@pytest.mark.parametrize(
    "value",
    [
        b"text/plain; charset=koi8-r (Cyrillic)",
        b'text/plain; charset="koi8-r" (Cyrillic)',
        b"text/plain (plain text); (old) charset=koi8-r",
        b"text/plain; charset (set) = (Cyrillic) koi8-r",
        b"text/plain; charset=(Cyrillic)koi8-r; format=fixed",
        b"text/plain; charset=3Dkoi8-r",
        b"text/plain; charset='koi8-r'",
        b"text/plain charset=koi8-r",
        b"text/plain\tcharset=koi8-r; format=fixed",
    ],
)
def test_comments_after_parameters(value: bytes) -> None:
    assert parse(b"Content-Type: " + value + b"\r\n\r\n\xd4\xc5\xd3\xd4").text == "тест"


def test_parentheses_in_a_filename() -> None:
    mail = b"Content-Type: application/pdf; name=report (1).pdf\r\n\r\nx"
    assert parse(mail).attachments[0].filename == "report (1).pdf"

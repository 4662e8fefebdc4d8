"""The header fields and parts of composed mail."""

from __future__ import annotations

import email
import email.message
import email.policy
from dataclasses import fields, replace
from typing import Any, get_type_hints

import pytest

from router.mail.compose.files import OutgoingFile
from router.mail.compose.header import MAX_MAILBOXES
from router.mail.compose.mail import OutgoingMail, compose
from router.mail.compose.quote import Quote
from router.mail.contents import NamedMailbox
from router.mail.parse import parse
from tests.unit.mail.compose.mail import MAIL, QUOTE, outgoing

IMAGE = OutgoingFile("logo.png", "image/png", b"\x89PNG", "logo@example.com")
PDF = OutgoingFile("Rechnung für Ödön.pdf", "application/pdf", b"%PDF")


def read(**changes: Any) -> email.message.EmailMessage:
    return email.message_from_bytes(compose(outgoing(**changes)).content, policy=email.policy.default)


def body_of(mail: email.message.EmailMessage, subtype: str) -> str:
    part = mail.get_body((subtype,))
    assert part is not None
    return str(part.get_content()).replace("\r\n", "\n")


def outline(part: Any) -> Any:
    if part.is_multipart() and part.get_content_maintype() == "multipart":
        return {part.get_content_subtype(): [outline(child) for child in part.get_payload()]}
    return part.get_content_type()


def test_plain_reply() -> None:
    assert compose(outgoing(in_reply_to="1@x", references=("a@example.com", "1@x"), quote=QUOTE, mark="m")).content == (
        b"Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n"
        b'From: "Eva (Example)" <support@example.com>\r\n'
        b"To: Ada Byron <ada@example.net>\r\n"
        b"Subject: Re: The parcel\r\n"
        b"Message-ID: <er.token@example.com>\r\n"
        b"In-Reply-To: <1@x>\r\n"
        b"References: <a@example.com> <1@x>\r\n"
        b"X-EmailRouter-Mark: m\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n"
        b"\r\n"
        b"It is on its way.\r\n\r\nOn 14 Nov 2023, 23:13 CET, Ada Byron wrote:\r\n"
        b"> Where is my parcel?\r\n>\r\n> Ada\r\n"
    )


def test_optional_fields() -> None:
    plain = read()
    for name in ("Cc", "Bcc", "Reply-To", "In-Reply-To", "References", "Auto-Submitted", "X-Auto-Response-Suppress"):
        assert name not in plain
    mail = read(cc=(NamedMailbox("c@d.example", ""),), reply_to=NamedMailbox("r@d.example", "R"), is_automatic=True)
    assert (mail["cc"], mail["reply-to"]) == ("c@d.example", "R <r@d.example>")
    assert (mail["auto-submitted"], mail["x-auto-response-suppress"]) == ("auto-replied", "All")


@pytest.mark.parametrize(
    ("html", "files", "expected"),
    [
        ("", (), "text/plain"),
        ("<p>x</p>", (), {"alternative": ["text/plain", "text/html"]}),
        ("", (PDF, IMAGE), {"mixed": ["text/plain", "application/pdf", "image/png"]}),
        (
            '<img src="cid:logo@example.com">',
            (IMAGE, PDF),
            {
                "mixed": [
                    {"alternative": ["text/plain", {"related": ["text/html", "image/png"]}]},
                    "application/pdf",
                ]
            },
        ),
    ],
)
def test_structure(html: str, files: tuple[OutgoingFile, ...], expected: object) -> None:
    assert outline(read(html=html, attachments=files)) == expected
    found = parse(compose(outgoing(html=html, attachments=files)).content)
    assert {(file.filename, file.inline) for file in found.attachments} == {
        (file.filename, file.content_id != "" and html != "") for file in files
    }


def test_html_has_the_same_pieces_in_the_same_order() -> None:
    mail = read(html="<p>On its way</p>", signature="Eva <&>\nExample", quote=replace(QUOTE, author="A <b>"))
    page = body_of(mail, "html")
    pieces = ["<p>On its way</p>", "-- <br>\nEva &lt;&amp;&gt;<br>\nExample", "A &lt;b&gt; wrote:<br>", "<blockquote"]
    positions = [page.index(piece) for piece in [*pieces, "Where is my parcel?<br>\n<br>\nAda</blockquote>"]]
    assert positions == sorted(positions)
    text = body_of(mail, "plain")
    assert text.startswith("It is on its way.\n\n-- \nEva <&>\nExample\n\nOn 14 Nov 2023")


def test_internationalized_addresses() -> None:
    composed = compose(outgoing(to=(NamedMailbox("ada@bücher.example", "Ä"),)))
    assert not composed.needs_smtputf8
    assert b"To: =?utf-8?b?w4Q=?= <ada@xn--bcher-kva.example>\r\n" in composed.content
    composed = compose(outgoing(to=(NamedMailbox("Ädä@bücher.example", "Ä"),)))
    assert composed.needs_smtputf8
    assert "To: =?utf-8?b?w4Q=?= <Ädä@xn--bcher-kva.example>\r\n".encode() in composed.content


@pytest.mark.parametrize(
    ("name", "content_type", "data", "expected"),
    [
        ("a.eml", "message/rfc822", b"Subject: x\r\n\r\nx", ("message/rfc822", "7bit", "a.eml")),
        ("a", "message/rfc822", b"Subject: \xe9\r\n\r\nx", ("application/octet-stream", "base64", "a.eml")),
        ("a", "message/rfc822", b"", ("application/octet-stream", "base64", "a.eml")),
        ("a", "message/rfc822", b"x: y\r\nFrom x\r\n", ("application/octet-stream", "base64", "a.eml")),
        ("a", "message/rfc822", b"x: y\n", ("application/octet-stream", "base64", "a.eml")),
        ("a", "message/rfc822", b"x: " + b"y" * 996, ("application/octet-stream", "base64", "a.eml")),
        ("a.csv", 'TEXT/CSV; Charset="ISO-8859-1"', b"\xe9\n", ("text/csv", "base64", "a.csv")),
        ("a", "message/delivery-status", b"x", ("application/octet-stream", "base64", "a")),
        ("a", "multipart/mixed; boundary=x", b"x", ("application/octet-stream", "base64", "a")),
        ("a", "text/plain\r\nBcc: x", b"x", ("application/octet-stream", "base64", "a")),
        ("..\\x/\u202egpj.\r\nexe\0", "", b"x", ("application/octet-stream", "base64", "gpj. exe")),
        ('"a;b".txt', "text/plain", b"x", ("text/plain", "base64", "_a;b_.txt")),
        ("...", "text/plain", b"x", ("text/plain", "base64", "attachment")),
    ],
)
def test_file(name: str, content_type: str, data: bytes, expected: tuple[str, str, str]) -> None:
    (part,) = read(attachments=(OutgoingFile(name, content_type, data),)).iter_attachments()
    assert (part.get_content_type(), part["content-transfer-encoding"], part.get_filename()) == expected
    assert part.get_content_disposition() == "attachment"
    assert part["content-transfer-encoding"] == "7bit" or part.get_payload(decode=True) == data


def test_boundary_is_not_in_the_parts() -> None:
    boundary = read(attachments=(PDF,)).get_boundary()
    assert boundary is not None
    enclosed = OutgoingFile("a.eml", "message/rfc822", f"Subject: x\r\n\r\n--{boundary}--\r\n".encode())
    mail = read(attachments=(enclosed, PDF))
    assert mail.get_boundary() != boundary
    assert [part.get_filename() for part in mail.iter_attachments()] == ["a.eml", PDF.filename]


INJECTED = "x@example.net\r\nBcc: m@example.org\r\n\r\nx\0"


def injections() -> list[OutgoingMail]:
    """Returns mails with a line break in one value each, for all values that are text."""
    hints = get_type_hints(OutgoingMail)
    mails = [outgoing(**{field.name: INJECTED}) for field in fields(OutgoingMail) if hints[field.name] is str]
    mails += [outgoing(to=(box,)) for box in (NamedMailbox(INJECTED, ""), NamedMailbox("a@b.example", INJECTED))]
    mails += [outgoing(cc=MAIL.to, reply_to=NamedMailbox(INJECTED, "")), outgoing(references=(INJECTED,))]
    mails += [outgoing(quote=Quote(INJECTED, 0, INJECTED, INJECTED, INJECTED, INJECTED), html="x")]
    file = OutgoingFile(INJECTED, INJECTED, INJECTED.encode(), INJECTED)
    return [*mails, outgoing(attachments=(file,)), outgoing(html=f'<img src="cid:{INJECTED}">', attachments=(file,))]


@pytest.mark.parametrize("number", range(len(injections())))
def test_no_value_adds_a_header_field(number: int) -> None:
    try:
        content = compose(injections()[number]).content
    except ValueError:
        return  # rejected
    read_back = email.message_from_bytes(content, policy=email.policy.default)
    assert all("Bcc" not in part for part in read_back.walk())
    assert content.count(b"\n") == content.count(b"\r\n") == content.count(b"\r")
    assert b"\0" not in content


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"to": (NamedMailbox("ada", ""),)}, "the address has no @"),
        ({"to": (NamedMailbox("postmaster", ""),)}, "postmaster has no domain"),
        ({"to": MAIL.to * (MAX_MAILBOXES + 1)}, "To has more than 200 addresses"),
        ({"cc": (NamedMailbox("a@b.example", "A\nB"),)}, "Cc contains a line break or a NUL character"),
        ({"subject": "A\rB"}, "Subject contains a line break or a NUL character"),
        ({"message_id": "a b@c"}, "Message-ID has an invalid Message-ID"),
        ({"mark": "a b"}, "X-EmailRouter-Mark is not one word of ASCII"),
    ],
)
def test_values_that_cannot_be_written(changes: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        compose(outgoing(**changes))


def test_parent_whose_id_cannot_be_written() -> None:
    assert "In-Reply-To" not in read(in_reply_to="not an id@x")


def test_the_same_mail_has_the_same_bytes() -> None:
    mail = outgoing(html="<p>x</p>", attachments=(PDF, IMAGE), quote=QUOTE)
    assert compose(mail) == compose(mail)

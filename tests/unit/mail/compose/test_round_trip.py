"""Any mail that can be composed is read back with the same text, quote, files and names, by this program and others."""

from __future__ import annotations

import email
import email.message
import email.policy
import re
from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from router.local_time import LOCALE
from router.mail.compose.files import OutgoingFile
from router.mail.compose.mail import compose
from router.mail.compose.quote import Quote
from router.mail.contents import NamedMailbox
from router.mail.decode import clean_line, clean_text, safe_filename
from router.mail.headers import read_headers
from router.mail.parse import extract_attachment, parse
from tests.unit.mail.compose.mail import outgoing

# Characters that break mail: controls, specials of headers and HTML, wide, combining, right-to-left, and surrogates.
NASTY = st.sampled_from([*" \t\0\x0b\x1b\x7f\x85\u2028\ufeff\u202e\u200b\ud800\"\\()<>@,;:=?_.'%*&éßЖ漢😀\u0301א[]"])
TEXT = st.text(NASTY | st.characters(), max_size=40)
LINE = TEXT.filter(lambda text: not any(end in text for end in "\r\n\0"))
# Lines that are not mistaken for quoted text; the last line does not announce more.
OWN_LINE = st.text(NASTY | st.characters(), max_size=120).map(lambda text: "x " + re.sub(r"[\r\n]", "", text))
OWN_TEXT = st.lists(OWN_LINE | st.just(""), min_size=1, max_size=6).map(lambda lines: "\n".join([*lines, "Eva"]))
QUOTES = st.builds(
    Quote,
    author=st.sampled_from(["Ich, Me & Co.", "I am we", "je (ich)", "Ada, Byron", "يو", "a@b.example", "x" * 300])
    | LINE,
    sent_at=st.integers(0, 4_000_000_000).map(lambda seconds: seconds * 1_000_000),
    timezone=st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York", "America/Sao_Paulo", "none"]),
    locale=st.sampled_from(LOCALE.values),
    text=st.lists(OWN_LINE | TEXT | st.just("-- ") | st.just("> On 1 May 2020, x wrote:"), max_size=8).map("\n".join),
)
NAMES = LINE | st.sampled_from(["", "Smith, J", '"Q"', "=?utf-8?q?a=40b?=", "a@b.example", "x" * 200, "é" * 100])
ADDRESSES = st.sampled_from(
    [
        "a@b.example",
        '"a b"@c.example',
        "a+b'c@d.example",
        "e@b\u00fccher.example",
        "\u00fc@f.example",
        "x" * 64 + "@g.example",
    ]
)
MAILBOXES = st.builds(NamedMailbox, ADDRESSES, NAMES)
FILES = st.builds(
    OutgoingFile,
    LINE
    | TEXT.map(lambda name: f"../{name}.pdf")
    | st.sampled_from(["x" * 300 + ".txt", "é" * 110 + ".txt", "CON", ""]),
    st.sampled_from(
        ["text/plain", "text/html", "image/png", "message/rfc822", "multipart/mixed", "x", "text/csv; charset=x"]
    ),
    st.binary(max_size=200).map(lambda data: b"\0" + data)
    | st.sampled_from([b"From: a\r\n\r\n--=_\r\nx\r\n", b"From x\r\n", b"a\nb", b"x" * 2000, b"a\r\nb"]),
)


def words(text: str) -> Counter[str]:
    return Counter(re.sub(r"[>\s]+", " ", text).split())


def check_wire(content: bytes) -> None:
    lines = content.split(b"\r\n")
    assert not any(b"\r" in line or b"\n" in line or b"\0" in line for line in lines)
    assert max(map(len, lines)) <= 998
    assert not any(line.startswith((b"From ", b">From ")) for line in lines)


def check_header(head: bytes) -> None:
    for line in head.split(b"\r\n"):
        words = line.split()
        assert len(line) <= 76 or len(words[0] if line[:1] == b" " else words[1]) > 64
        assert line.strip()
        assert all(len(word) <= 75 for word in words if word.startswith(b"=?"))


@settings(max_examples=200)
@given(OWN_TEXT, st.sampled_from(["", "Ada Byron\nExample Ltd."]), QUOTES)
def test_text_and_quote(text: str, signature: str, quote: Quote) -> None:
    content = compose(outgoing(text=text, signature=signature, quote=quote)).content
    check_wire(content)
    found = parse(content)
    assert found.text == clean_text(text).strip("\n").rstrip()
    assert words(found.quoted) >= words(clean_text(quote.text))
    assert signature in found.quoted
    assert found.warnings == () or (
        found.warnings == ("charset guessed",) and "\ufffd" in f"{found.text}{found.quoted}"
    )


@settings(max_examples=100)
@given(st.lists(MAILBOXES, min_size=1, max_size=8), LINE, FILES, st.lists(FILES, max_size=2))
def test_header_and_files(
    mailboxes: list[NamedMailbox], subject: str, file: OutgoingFile, more: list[OutgoingFile]
) -> None:
    files = (file, *more)
    composed = compose(outgoing(to=tuple(mailboxes), subject=subject, attachments=files, from_name=mailboxes[0].name))
    check_wire(composed.content)
    head = composed.content.partition(b"\r\n\r\n")[0]
    assert composed.needs_smtputf8 == (not head.isascii()) == any(box.address[0] == "\u00fc" for box in mailboxes)
    check_header(head)
    read = email.message_from_bytes(composed.content, policy=email.policy.default)
    # The email package adds spaces between the encoded words of a name.
    assert [box.display_name.replace(" ", "") for box in read["to"].addresses] == [
        clean_line(box.name, 128).replace(" ", "") for box in mailboxes
    ]
    assert (read["subject"] or "") == clean_line(subject, 998)
    attached = list(read.iter_attachments())
    assert len(attached) == len(files)
    for part, sent in zip(attached, files, strict=True):
        assert part["content-transfer-encoding"] == "7bit" or part.get_payload(decode=True) == sent.data
    facts = read_headers(composed.content)
    assert facts.subject == clean_line(subject, 998)
    assert len(facts.participants) == len({box.address for box in mailboxes}) + 1
    for n, sent in enumerate(files, 1):
        found = extract_attachment(composed.content, n)
        assert found is not None
        assert found.data == sent.data
        stem = safe_filename(sent.filename).rpartition(".")[0] or safe_filename(sent.filename)
        assert found.attachment.filename.startswith(stem)
        assert found.attachment.filename == attached[n - 1].get_filename()
    assert extract_attachment(composed.content, len(files) + 1) is None

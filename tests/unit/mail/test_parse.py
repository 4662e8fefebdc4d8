"""Large, crafted and unusual messages. Truncation adds warnings, and no message raises an exception."""

from __future__ import annotations

import base64

import pytest

from router.mail import parse as parse_module
from router.mail.contents import Contents, ParseLimits
from router.mail.parse import extract_attachment, parse
from router.mail.structure import read_structure
from router.mail.text_parts import unflow


def make_multipart(*parts: bytes) -> bytes:
    body = b"".join(b"--b\r\n" + part + b"\r\n" for part in parts)
    return b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + body + b"--b--\r\n"


def test_ten_thousand_parts() -> None:
    found = parse(make_multipart(*[b"\r\nhi"] * 10_000))
    assert "too many parts" in found.warnings
    assert found.text.count("hi") < 1000


def test_a_thousand_levels() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(1000))
    found = parse(nested + b"\r\ndeep inside\r\n")
    assert "parts nested too deeply" in found.warnings
    assert "deep inside" in found.text  # the part at the depth limit is shown undecoded


def test_nested_messages() -> None:
    found = parse(b"Content-Type: message/rfc822\r\n\r\n" * 1000 + b"Subject: in\r\n\r\ninner\r\n")
    assert [a.kind for a in found.attachments] == ["message"]


def test_a_crafted_header_of_100_kilobytes() -> None:
    for piece in (b"=?utf-8?Q?a", b"(", b"<", b'"', b'\\"', b"a@b,", b"<a>", b"\r\n ", b" ", b";a=", b"\r"):
        for name in (b"From", b"To", b"Subject", b"References", b"Date", b"Content-Type: text/plain; name"):
            found = parse(name + b": x" + piece * (100_000 // len(piece)) + b"\r\n\r\nthe body\r\n")
            assert isinstance(found, Contents)


def test_attachment_list_is_limited() -> None:
    found = parse(make_multipart(*[b"Content-Type: a/b\r\n\r\nx"] * 300))
    assert len(found.attachments) == ParseLimits().attachments
    assert "too many attachments: some are not listed" in found.warnings
    assert extract_attachment(make_multipart(*[b"Content-Type: a/b\r\n\r\nx"] * 300), 201) is None


def test_long_text_is_truncated_with_a_warning() -> None:
    found = parse(b"Subject: x\r\n\r\n" + b"words and words\r\n" * 100_000)
    assert len(found.text) == ParseLimits().text
    assert "text truncated" in found.warnings


@pytest.mark.parametrize(
    "tag", [b"<div>", b"<ul><li>", b"<table><tr><td>", b"<b><p>", b"<a href=https://x.example>", b"<", b"<!--"]
)
def test_deep_html(tag: bytes) -> None:
    found = parse(b"Content-Type: text/html\r\n\r\n" + tag * 100_000 + b"the end")
    assert found.html == "" or len(found.html) < 4_000_000
    assert isinstance(found.text, str)


def test_a_tag_with_very_many_attributes() -> None:
    attributes = b" ".join(b"a%d=1" % n for n in range(6_000))
    found = parse(b"Content-Type: text/html\r\n\r\n<p " + attributes + b">text")
    assert found.html == ""
    assert "HTML too complex: shown as text" in found.warnings
    assert found.text == "text"


def test_embedded_images_do_not_displace_text() -> None:
    image = base64.b64encode(bytes(1_000_000))
    found = parse(b'Content-Type: text/html\r\n\r\n<img src="data:image/png;base64,' + image + b'"><p>below</p>')
    assert found.text == "below"
    assert len(found.html) < 100
    found = parse(b'Content-Type: text/html\r\n\r\n<img src="data:image/png;base64,' + image * 5 + b'"><p>below</p>')
    assert (found.text, found.warnings) == ("below", ())


def test_parser_error_shows_the_raw_message(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(parse_module, "read_structure", broken)
    found = parse(b"Subject: x\r\n\r\nthe \x00 body")
    assert found.text == "Subject: x\n\nthe  body"
    assert found.warnings == ("could not be parsed: raw message shown",)
    assert extract_attachment(b"Subject: x\r\n\r\nthe body", 1) is None


def test_large_attachment_is_extracted_completely() -> None:
    data = bytes(range(256)) * 8000
    part = b"Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(data)
    content = make_multipart(b"\r\nhello", part)
    [listed] = parse(content).attachments
    taken = extract_attachment(content, 1)
    assert taken is not None
    assert taken.data == data
    assert listed.size == len(data)


def test_a_part_without_an_empty_line_is_text() -> None:
    assert parse(make_multipart(b"no header and no empty line")).text == "no header and no empty line"
    assert parse(make_multipart(b"Content-Type: text/plain\r\nwords at once")).text == "words at once"


def test_boundaries_with_a_common_prefix() -> None:
    content = (
        b"Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/alternative; boundary=xx\n\n"
        b"--xx\n\nplain\n--xx\nContent-Type: text/html\n\n<b>html</b>\n--xx--\n--x\n\nlast\n--x--\n"
    )
    found = parse(content)
    assert found.text == "plain\n\nlast"
    assert found.html == "<b>html</b><hr><pre>last</pre>"


def test_part_offsets() -> None:
    content = make_multipart(b"\r\none\r\ntwo", b"Content-Type: a/b\r\n\r\n\x00\xff")
    tree = read_structure(content, max_header_bytes=4096, max_parts=10, max_depth=5)
    assert [leaf.content[leaf.start : leaf.end] for leaf in tree.root.children] == [b"one\r\ntwo", b"\x00\xff"]


def test_unflow() -> None:
    assert unflow("a \nb\n>> q \n>> r\n-- \nsig", delsp=False) == "a b\n>> q r\n-- \nsig"
    assert unflow("a \nb", delsp=True) == "ab"


IMAGE = b"Content-Type: image/png; name=a.png\r\n\r\nx"
PDF = b"Content-Type: application/pdf; name=a.pdf\r\n\r\nx"


@pytest.mark.parametrize(
    ("content", "warning"),
    [
        (b"", "no text: the message is empty"),
        (b"Subject: x\r\n\r\n", "no text: the message is empty"),
        (b"Subject: x\r\n\r\n \r\n", "no text: the message is empty"),
        (b"Content-Type: text/plain; charset=utf-8\r\n\r\n\xe2\x80\x8b\r\n", "no text: the message is empty"),
        (b"Content-Type: text/html\r\n\r\n<p></p>", "no text, only HTML without text"),
        (b"Content-Type: text/html\r\n\r\n<img src=https://a.example/b.png>", "no text, only HTML without text"),
        (IMAGE, "no text, only images"),
        (
            make_multipart(b"Content-Type: text/html\r\n\r\n<br>", PDF),
            "no text, only HTML without text and attachments",
        ),
        (make_multipart(IMAGE, PDF), "no text, only images and attachments"),
        (make_multipart(b"Content-Type: text/html\r\n\r\n<img src=cid:a>", IMAGE), "no text, only images"),
        (
            make_multipart(b"Content-Type: text/plain; name=a.log\r\nContent-Disposition: attachment\r\n\r\nx"),
            "no text, only attachments",
        ),
        (make_multipart(b"Content-Type: application/ms-tnef; name=winmail.dat\r\n\r\nx"), "no text, only attachments"),
        (b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b--\r\n", "no text: the message is empty"),
    ],
)
def test_warning_for_a_message_without_text(content: bytes, warning: str) -> None:
    found = parse(content)
    assert found.text.strip() in ("", "\u200b")
    assert warning in found.warnings


def test_no_warning_for_a_message_with_text() -> None:
    for content in (
        b"Subject: x\r\n\r\nwords",
        make_multipart(b"\r\nwords", PDF),
        b"Content-Type: text/html\r\n\r\n<p>words</p>",
    ):
        assert parse(content).warnings == ()


def test_single_part_with_attachment_disposition_is_text() -> None:
    found = parse(
        b'Content-Type: text/plain\r\nContent-Disposition: attachment; filename="order.txt"\r\n\r\nTwo lamps.'
    )
    assert found.text == "Two lamps."
    assert [listed.filename for listed in found.attachments] == ["order.txt"]


def test_a_digest_shows_each_of_its_messages() -> None:
    mails = b"".join(b"--z\r\n\r\nFrom: a@example.org\r\nSubject: no. %d\r\n\r\nwords %d\r\n" % (n, n) for n in (1, 2))
    found = parse(b"Content-Type: multipart/digest; boundary=z\r\n\r\n" + mails + b"--z--\r\n")
    assert [line for line in found.text.split("\n") if "words" in line] == ["words 1", "words 2"]


def test_empty_lines_inside_the_header() -> None:
    gap = b"Subject: x\r\n\r\n\r\nContent-Type: multipart/mixed;\r\n boundary=b\r\n\r\n--b\r\n\r\nwords\r\n--b--\r\n"
    found = parse(gap)
    assert (found.text, found.warnings) == ("words", ("empty lines inside the header",))
    for written in (gap.replace(b"--b", b"--c"), b"Subject: x\r\n\r\nContent-Type: text/plain\r\n\r\nwords"):
        assert "Content-Type:" in parse(written).text


def test_vertical_tab_ends_a_line() -> None:
    assert parse(b"Content-Type: text/plain; charset=utf-8\r\n\r\none\x0btwo\xc2\x85three").text == "one\ntwo\nthree"


def test_swapped_media_types() -> None:
    assert parse(b"Content-Type: plain/text\r\n\r\nhello").text == "hello"
    assert parse(b"Content-Type: html/text\r\n\r\n<p>hello</p>").text == "hello"


def test_repeated_fields() -> None:
    parts = b"\r\n--z\r\n\r\nhello\r\n--z--\r\n"
    multipart = b"Content-Type: multipart/mixed; boundary=z\r\n"
    for other in (b"Content-Type: text/plain\r\n", b"Content-Type: multipart/mixed; boundary=y\r\n"):
        assert parse(other + multipart + parts).text == "hello"
        assert parse(multipart + other + parts).text == "hello"
    encodings = b"Content-Transfer-Encoding: 7bit\r\nContent-Transfer-Encoding: base64\r\n"
    assert parse(b"Content-Type: text/plain\r\n" + encodings + b"\r\naGVsbG8=").text == "hello"


def test_html_beyond_the_limit_is_not_shown() -> None:
    """A fixed defect: the HTML of the second piece was neither truncated nor sanitised."""
    large = b"--b\r\nContent-Type: text/html\r\n\r\n<p>first</p>" + b"word " * 110_000 + b"\r\n"
    second = (
        b"--b\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nplain\r\n"
        b"--c\r\nContent-Type: text/html\r\n\r\n<script>alert(1)</script><b>second</b>\r\n--c--\r\n--b--\r\n"
    )
    found = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + large + second)
    assert found.html.startswith("<p>first</p>")
    assert "<script" not in found.html
    assert "HTML truncated" in found.warnings


def test_html_and_plain_text_share_the_limit_of_html() -> None:
    """Plain text next to HTML becomes HTML, in which each `<` has four characters."""
    part = b"--b\r\nContent-Type: text/plain\r\n\r\n" + b"<" * 200_000 + b"\r\n"
    html = b"--b\r\nContent-Type: text/html\r\n\r\n<p>first</p>\r\n"
    found = parse(b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + html + part * 6 + b"--b--\r\n")
    assert found.html.startswith("<p>first</p>")
    assert 800_000 < len(found.html) <= ParseLimits().sanitized_html + 6 * len("<hr>")
    assert "HTML truncated" in found.warnings

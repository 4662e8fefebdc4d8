"""Growth-test subjects for the text, HTML and search terms of a message."""

from __future__ import annotations

from collections.abc import Callable

from router.mail import (
    charset_detection,
    charsets,
    decode,
    html_design,
    html_markup,
    html_presentation,
    html_style_sheet,
    quotes,
)
from router.mail import parse as mail_parser
from router.mail.contents import DEFAULT_LIMITS
from router.mail.headers import MAX_TEXT_LENGTH
from router.mail.html_style import canonical_style
from router.search import terms
from router.unicode_security import deceptive_domain, safe_identifier, safe_line
from tests.system.growth.shapes import HTML, QUOTES, Shape
from tests.system.growth.subject import PLAIN, Subject, decode_text

_MAIL = 1 << 20  # less than the allowed 50 MiB, but enough to show growth
_TEXT = DEFAULT_LIMITS.text
_MULTIPART = b"Content-Type: multipart/%s; boundary=b\r\n\r\n"
_CHARSETS = (
    *(
        "utf-8",
        "utf-7",
        "utf-16",
        "iso-2022-jp",
        "iso-2022-kr",
        "hz",
        "gb18030",
        "big5",
        "euc-kr",
        "johab",
        "shift_jis",
    ),
    *("euc-jp", "windows-1252", "iso-8859-8", "koi8-r", ""),
)


def make_message_parser(before: bytes) -> Callable[[bytes], object]:
    return lambda data: mail_parser.parse(before + data)


def decode_charsets(data: bytes) -> None:
    for charset in _CHARSETS:
        decode.clean_text(charsets.decode_charset(data, charset)[0])


def detect_charset(data: bytes) -> None:
    reader = charset_detection.CharsetDecoder("iso-2022-jp")
    reader.decode(data + b"\n\xe9", "", markup=True)
    reader.decode(b"\xe9" + data, "iso-2022-jp", markup=True)


def split_quoted_text(data: bytes) -> None:
    body = decode_text(data)
    quotes.split(body, is_reply=True)
    quotes.split(body, body[:MAX_TEXT_LENGTH], recipients=("b@c.dd",))


def parse_formatting_elements(data: bytes) -> object:
    """Parses HTML with many open formatting elements, which an HTML parser reopens in each block of `data`."""
    half = len(data) // 2
    opened = b"".join(b"<b title=%d>" % number for number in range(half // 12))
    return mail_parser.parse(b"Content-Type: text/html\r\n\r\n" + opened + data[:half])


def parse_images(data: bytes) -> object:
    half = len(data) // 2
    parts = b"--b\r\nContent-Type: image/png\r\nContent-ID: <%d>\r\n\r\n\r\n"
    return mail_parser.parse(
        _MULTIPART % b"related"
        + b"--b\r\nContent-Type: text/html\r\n\r\n"
        + data[:half]
        + b"\r\n"
        + b"".join(parts % n for n in range(half // 60))
    )


def remove_invisible_markup(data: bytes) -> None:
    html_markup.strip_data_uris(data)
    html_markup.visible_markup(decode_text(data), len(data) // 2)
    html_markup.strip_invisible(decode_text(data))


def clean_styles(data: bytes) -> None:
    text = decode_text(data)
    html_style_sheet.extract_style_sheet(text)
    html_style_sheet.extract_style_sheet(f"<style>{text}")
    html_presentation.safe_style(text)
    html_design.has_layout(text)
    html_design.has_remote_images(text)
    html_design.color_use(f"<style>{text}")
    html_design.color_use(text)


def check_deceptive_text(data: bytes) -> None:
    text = decode_text(data)
    safe_line(text)
    safe_identifier(f"{text}@{text}")
    deceptive_domain(f"a@{text[:250]}")


def extract_search_terms(data: bytes) -> None:
    value = decode_text(data)
    terms.text_words(value)
    terms.parse_query("ws_1", value)


_UNLABELLED = (*PLAIN, HTML, (b"<meta ", b"charset=", b"\xa4\xa2", b"\xff", b"\x1b$B", b"+AA", b"\n", b"\x00"))
_DECEPTIVE = tuple(text.encode() for text in ("\u200d", "\u00e9\u200d", "\U000e0041", "\u202e", "\u0430.", "\u0301"))
_DECLARATIONS = (b"display:a;", b"a", b"/*", b'"', b"(", b"opacity:1", b"!important ", b";")
_STYLES = (
    *(b"<style>", b"<style ", b"</style>", b"<!--", b"@media x{", b"a{b:c}", b"color:red;", b"url(", b"'", b"{", b"}"),
    *(b'<td style="color:', b'<img src="remote:', b' width="1', b"<div>", b"border:", b"media=", b"<a "),
)
_BODY = (*PLAIN, QUOTES)
_ATTRIBUTION = b"On 6 Mar 2026 10:00, a <b@c.dd> wrote:\n"
_HISTORY = (
    *(
        _ATTRIBUTION,
        _ATTRIBUTION + b"> q\na\n",
        _ATTRIBUTION + b"| q\na\n",
        b"a - " + _ATTRIBUTION + b"> q\n",
        b"a <\n",
    ),
    *(b"From: a\n\nDate: b\n\n", b"From: a\nb\nTo: c\nb\n", b"Date: 6 Mar 2026 10:00 ", b"To: a@b.cc ", b"| From |"),
    *(b"--\n", b"--\na\n", b"-- \na\n", b"_____\nunsubscribe\n", b"Sent from my iPhone\n", b"please typo ", b"Re[1]: "),
    *(b"---- Forwarded message ----\n", b"-----Original ", b">>> 6.3.2026 10:00 ", b"> <\na>\n", b"<\n\n"),
)
_IMAGES = (b"<img src=cid:a>", b"<img src=cid:9>", b"cid:", b"<b>", b"<p>")
_ENRICHED = (b"<b>", b"<p>", b"&", b"\n", b"<")
# A fixed defect did not detect that the depth of these shapes exceeds the limit.
_NOT_CLOSED = tuple(map(Shape, (b"<div></x>", b"<ul></x><li>", b"<svg><span></svg>")))
_BLOCKS = (b"<li>", b"<p>", b"<td>")  # a fixed defect: each block repeated every open element
_MARKS = tuple(Shape(mark.encode()) for mark in ("\u0301", "\u0327\u0301"))  # a fixed defect: normalising was quadratic
_SHIFTS = (Shape(b"\x0e"),)  # a fixed quadratic defect: each shift searched the rest of the line
_SPACES = (Shape(b" ", b"border:none", b"!x"),)  # a fixed defect: each space searched the following spaces
_PARAGRAPH = (Shape(b"a \n"),)  # a fixed quadratic defect: each line copied the paragraph
SUBJECTS = (
    Subject(
        "charsets: decoding",
        decode_charsets,
        _MAIL,
        (*PLAIN, (b"+AA", b"~{", b"\x1b(B", b"\x81", b"\xf0\x9f", b"\x0e")),
        _SHIFTS,
    ),
    Subject("charsets: text without a label", detect_charset, _MAIL, _UNLABELLED, quick=_UNLABELLED[-1]),
    Subject("parse: images in HTML", parse_images, _MAIL, (HTML, (b"<img src=cid:9>", b"cid:")), quick=_IMAGES),
    Subject("parse: text", make_message_parser(b"Content-Type: text/plain; charset=utf-8\r\n\r\n"), _MAIL, _BODY),
    Subject(
        "parse: format=flowed",
        make_message_parser(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n"),
        _MAIL,
        _BODY,
        _PARAGRAPH,
    ),
    Subject(
        "parse: text/enriched",
        make_message_parser(b"Content-Type: text/enriched\r\n\r\n"),
        _MAIL,
        (HTML,),
        quick=_ENRICHED,
    ),
    Subject(
        "parse: HTML",
        make_message_parser(b"Content-Type: text/html; charset=utf-8\r\n\r\n"),
        _MAIL,
        (HTML,),
        _NOT_CLOSED,
    ),
    Subject("parse: HTML with open elements", parse_formatting_elements, _MAIL, (_BLOCKS,), quick=_BLOCKS[1:2]),
    Subject("unicode_security: deceptive text", check_deceptive_text, _TEXT, (*PLAIN, _DECEPTIVE)),
    Subject(
        "html_markup: visible markup",
        remove_invisible_markup,
        _MAIL,
        (HTML, (b"'data:a/", b"<!--", b"<style>", b"<p style=a:b>")),
    ),
    Subject(
        "html_style: declarations",
        lambda data: canonical_style(decode_text(data)),
        _MAIL,
        (_DECLARATIONS,),
        _SPACES,
    ),
    Subject("html_style_sheet: rules and declarations", clean_styles, _MAIL, (HTML, _STYLES), quick=_STYLES[:12]),
    Subject("quotes: history and signature", split_quoted_text, _TEXT, (*_BODY, _HISTORY)),
    Subject("terms: words of a mail", extract_search_terms, _TEXT, (*PLAIN, (b"a ", b"a b")), _MARKS),
)

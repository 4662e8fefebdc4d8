"""What is read of a mail: its header before `250`, all of it when it is shown, and the words that it is found by."""

from __future__ import annotations

from collections.abc import Callable

from router.accept.accept import fingerprint_of
from router.accept.threads import Candidate, choose
from router.mail import (
    automatic,
    bounces,
    charset_detection,
    charsets,
    decode,
    html_markup,
    quotes,
    smime,
    transfer_encoding,
    uuencode,
)
from router.mail import parse as reading
from router.mail.calendar import MAX_BYTES, calendar_text
from router.mail.contents import DEFAULT_LIMITS
from router.mail.dates import read_date
from router.mail.headers import MAX_TEXT, read_headers
from router.mail.html_style import canonical_style
from router.mail.mailboxes import MAX_VALUE, comparable, read_mailboxes
from router.mail.structure import decoded_body, decoded_size, read_structure
from router.search import terms
from router.unicode_security import deceptive_domain, shown_identifier, shown_line
from tests.support.mail_tree import leaves
from tests.system.growth.shapes import FEW, HEADER, HTML, MIME, PARAMETERS, QUOTES, Shape
from tests.system.growth.subject import PLAIN, Subject
from tests.system.growth.subject import text as decoded

_HEAD = 262144  # [smtp] max_header_bytes
_MAIL = 1 << 20  # of the 50 MiB that a mail may have: growth shows before
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


def header(before: bytes, between: bytes = b"") -> Callable[[bytes], object]:
    """The header facts, with the shape in a field. between: what a line end of the shape becomes."""

    def run(octets: bytes) -> object:
        if between:
            octets = octets.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", between)
        return read_headers(before + octets + b"\r\n\r\na\r\n")

    return run


def mail(before: bytes) -> Callable[[bytes], object]:
    """The whole mail as people read it."""
    return lambda octets: reading.parse(before + octets)


def take_out(octets: bytes) -> None:
    """The last attachment that is listed."""
    content = _MULTIPART % b"mixed" + octets
    listed = reading.parse(content).attachments
    if listed:
        reading.attachment(content, listed[-1].n)


def structure(octets: bytes) -> None:
    """The tree of parts, and each leaf decoded."""
    tree = read_structure(_MULTIPART % b"mixed" + octets, max_header_bytes=_HEAD, max_parts=1000, max_depth=50)
    for leaf in leaves(tree.root):
        decoded_body(leaf)
        decoded_size(leaf)


def headers_of_parts(octets: bytes) -> object:
    """A part for each line of 8000 bytes of the shape, so that bounded fields are read as often as a mail allows."""
    parts = (octets[at : at + 8000] for at in range(0, len(octets), 8000))
    return reading.parse(
        _MULTIPART % b"mixed" + b"".join(b"--b\r\nContent-Type: a/b" + part + b"\r\n\r\n\r\n" for part in parts)
    )


def texts(octets: bytes) -> None:
    """A body in each charset with a codec of its own."""
    for charset in _CHARSETS:
        decode.storable(charsets.decode_charset(octets, charset)[0])


def without_label(octets: bytes) -> None:
    """A body of which only the bytes tell the charset."""
    reader = charset_detection.CharsetReader("iso-2022-jp")
    reader.decode(octets + b"\n\xe9", "", markup=True)
    reader.decode(b"\xe9" + octets, "iso-2022-jp", markup=True)


def parameters(octets: bytes) -> None:
    """Content-Type and Content-Disposition."""
    _, found = decode.parameters(b"a/b" + octets, "utf-8")
    decode.parameters(b"attachment; filename=" + octets)
    for value in found.values():
        decode.safe_filename(value)


def answer(octets: bytes) -> None:
    """The text of an answer, and of a first mail that quotes its recipient; the subject is as long as its bound."""
    body = decoded(octets)
    quotes.split(body, answers=True)
    quotes.split(body, body[:MAX_TEXT], recipients=("b@c.dd",))


def report(octets: bytes) -> object:
    """A bounce whose report and text are both large."""
    return reading.parse(
        b"From: mailer-daemon@a\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + octets + b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + octets[:65536]
    )


def free_bounce(octets: bytes) -> object:
    """A bounce without a report, with the shape in its text and in the returned mail."""
    half = octets[: len(octets) // 2]
    return reading.parse(
        b"From: mailer-daemon@a\r\nSubject: failure notice\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + half + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: " + half
    )


def signed(octets: bytes) -> None:
    """The shape as the content of signed-data, as pieces of it, and in the place of each element."""
    for prefix in (b"\x24\x80", b"\x24\x80\x04\x84\x7f\xff\xff\xff", b"\x24\x80\x04\x01", b"\x24\x84\x7f\xff\xff\xff"):
        smime.signed_mail(_SIGNED_DATA + prefix + octets, "")
    smime.signed_mail(_SIGNED_DATA[: _SIGNED_DATA.index(b"\x31\x80") + 2] + octets, "")
    smime.kind_of(octets)


def encoded(octets: bytes) -> None:
    """A body in each transfer encoding."""
    for encoding in ("base64", "quoted-printable", "uuencode"):
        transfer_encoding.decode(octets, encoding, words=True)
        transfer_encoding.decoded_size(octets, encoding)
    transfer_encoding.decode(b"begin 644 a\n" + octets, "uuencode")
    list(uuencode.find_blocks(b"begin 644 a\n" + octets))


def events(octets: bytes) -> object:
    """The shape in an event, and as lines of a calendar."""
    return calendar_text(b"BEGIN:VEVENT\nRRULE:FREQ=DAILY;" + octets + b"\nDESCRIPTION:" + octets, "utf-8", "")


def formatting(octets: bytes) -> object:
    """HTML that opens many formatting elements, then the blocks of the shape: each block opens all of them again."""
    half = len(octets) // 2
    opened = b"".join(b"<b title=%d>" % number for number in range(half // 12))
    return reading.parse(b"Content-Type: text/html\r\n\r\n" + opened + octets[:half])


def images(octets: bytes) -> object:
    """HTML that shows images, and as many parts that may be these."""
    half = len(octets) // 2
    parts = b"--b\r\nContent-Type: image/png\r\nContent-ID: <%d>\r\n\r\n\r\n"
    return reading.parse(
        _MULTIPART % b"related"
        + b"--b\r\nContent-Type: text/html\r\n\r\n"
        + octets[:half]
        + b"\r\n"
        + b"".join(parts % n for n in range(half // 60))
    )


def enclosed(octets: bytes) -> object:
    """A mail that is nothing but another mail."""
    return reading.parse(b"Content-Type: message/rfc822\r\n\r\n" + octets)


def people(octets: bytes) -> None:
    """The forms in which addresses and threads are compared."""
    said = decoded(octets)
    comparable(said)
    comparable(f"a@{said}")
    choose([said, "a"], said, [Candidate("ticket_1", said, frozenset({said}))])


def verdicts(octets: bytes) -> None:
    """Whether a person wrote it."""
    said = decoded(octets)[:MAX_TEXT]
    automatic.verdict("", null_reverse_path=True, subject=said)
    automatic.of_headers({b"content-type": [b"multipart/report;" + octets]}, f"mailer-daemon{said}", said)
    fields = {name: [octets] for name in sorted(automatic.NAMES - {b"x-emailrouter-mark"})}
    automatic.of_headers(fields, said, said)
    automatic.may_be_relayed(fields, "list", said, said)


def markup(data: bytes) -> None:
    """HTML that is longer than its bound."""
    html_markup.without_data(data)
    html_markup.seen_markup(decoded(data), len(data) // 2)
    html_markup.without_unseen(decoded(data))


def deceptions(data: bytes) -> None:
    """Characters and domains that deceive."""
    text = decoded(data)
    shown_line(text)
    shown_identifier(f"{text}@{text}")
    deceptive_domain(f"a@{text[:250]}")


def found_by(octets: bytes) -> None:
    """The words of a mail and of a question."""
    said = decoded(octets)
    terms.of_text(said)
    terms.question("ws_1", said)


_FIELDS = (*PLAIN, HEADER)
_UNLABELLED = (*PLAIN, HTML, (b"<meta ", b"charset=", b"\xa4\xa2", b"\xff", b"\x1b$B", b"+AA", b"\n", b"\x00"))
_DECEPTIVE = tuple(text.encode() for text in ("\u200d", "\u00e9\u200d", "\U000e0041", "\u202e", "\u0430.", "\u0301"))
_DECLARATIONS = (b"display:a;", b"a", b"/*", b'"', b"(", b"opacity:1", b"!important ", b";")
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
_ADDRESSES = (
    b"a,",
    b"a:",
    b"<a@b>,",
    b'"a"',
    b'\\"',
    b"(a",
    b"a (b) ",
    b"=?utf-8?q?a?= ",
    b"<a@b> ",
    b"@a:",
    b":;",
    b"<",
    b'"',
)
# As far as the content: its prefix of indefinite length.
_SIGNED_DATA = bytes.fromhex("308006092a864886f70d010702a080308002010131800000308006092a864886f70d010701a080")
_ELEMENTS = (
    b"\x24\x80",
    b"\x30\x80",
    b"\x04\x00",
    b"\x04\x01a",
    b"\x24\x02",
    b"\0\0",
    b"\x04\x81\x01a",
    b"\x24\x80\0\0",
)
_ENCODED = (
    b"=",
    b" ",
    b"A ",
    b"\n ",
    b"QUJD",
    b"QUJD\n",
    b"QQ==",
    b"QQ==\n",
    b"a b\n",
    b"A!\n",
    b"aBcdefghijklmnop\n",
    b"_\n",
)
_ADDRESS_LINES = (b"\r\n<a@b>:", b"a (a@b)\r\n", b"\r\n  a@b", b"- " * 9)
_UUENCODED = (b"begin 644 a\n", b"begin 644 ", b"!\n", b"#86)C\n", b"M" + b"a" * 60 + b"\n", b"`\n", b"end\n", b"end")
_CALENDAR = (
    *(
        b"\nATTENDEE:a",
        b"\nATTENDEE;CN=a;PARTSTAT=ACCEPTED:mailto:a",
        b"\\n",
        b"\\",
        b';A="',
        b';A="b"',
        b";A=",
        b":",
        b"\n ",
    ),
    *(
        b"\nBEGIN:VEVENT",
        b"\nEND:VEVENT",
        b"\nSUMMARY:a",
        b"\nSUMMARY;ENCODING=QUOTED-PRINTABLE:=",
        b"BYDAY=MO;",
        b"MO,",
    ),
)
_NOT_CLOSED = tuple(map(Shape, (b"<div></x>", b"<ul></x><li>", b"<svg><span></svg>")))  # passed the bound on depth
_BLOCKS = (Shape(b"<li>"), Shape(b"<p>"), Shape(b"<td>"))  # the output was the product of both
_MARKS = tuple(Shape(mark.encode()) for mark in ("\u0301", "\u0327\u0301"))  # normalising a run was quadratic
_PARAGRAPH = (Shape(b"a \n"),)  # each line copied the paragraph before it
_LOCAL_PARTS = (Shape(b'"a"@'),)  # each copied the phrase before it
SUBJECTS = (
    Subject("headers: From", header(b"From: ", b"\r\n "), _HEAD, _FIELDS, _LOCAL_PARTS),
    Subject("headers: To and 4 more address fields", header(b"To: ", b"\r\nCc: "), _HEAD, _FIELDS, quick=_ADDRESSES),
    Subject("headers: Subject", header(b"From: a@b\r\nSubject: ", b"\r\n "), _HEAD, _FIELDS),
    Subject("headers: References", header(b"References: ", b"\r\n "), _HEAD, _FIELDS),
    Subject("headers: Date, Message-ID", header(b"Date: ", b"\r\nMessage-ID: "), _HEAD, _FIELDS),
    Subject("headers: Content-Type", header(b"Content-Type: ", b"\r\n "), _HEAD, (*_FIELDS, PARAMETERS)),
    Subject("headers: any lines", header(b""), _HEAD, (*_FIELDS, MIME)),
    Subject("headers: a date", read_date, 1024, (*PLAIN, (b"(a", b")", b"1 ", b"1:", b"Aug ", b"Mon Aug "))),
    Subject("mailboxes: an address list", read_mailboxes, MAX_VALUE, _FIELDS, _LOCAL_PARTS, quick=_ADDRESSES),
    Subject("mailboxes, threads: comparing", people, 998),
    Subject("words: encoded words", decode.decode_words, MAX_VALUE, _FIELDS),
    Subject("words: parameters", parameters, 8192, (*PLAIN, PARAMETERS, HEADER)),
    Subject("words: charsets", texts, _MAIL, (*PLAIN, (b"+AA", b"~{", b"\x1b(B", b"\x81", b"\xf0\x9f"))),
    Subject("words: text without a label", without_label, _MAIL, _UNLABELLED),
    Subject("automatic: verdicts", verdicts, 65536, _FIELDS),
    Subject("bounces: a delivery report", bounces.failures, 65536, (*_FIELDS, (b"\r\n\r\nFinal-Recipient: a;b",))),
    Subject("bounces: free forms", free_bounce, _MAIL, (*_FIELDS, _ADDRESS_LINES), quick=_ADDRESS_LINES),
    Subject("smime: signed-data", signed, _MAIL, (_ELEMENTS, FEW), quick=_ELEMENTS),
    Subject("transfer encodings", encoded, _MAIL, (_ENCODED, _UUENCODED, FEW), quick=(*_ENCODED, *_UUENCODED)),
    Subject("calendar: events", events, MAX_BYTES, (_CALENDAR, FEW), quick=_CALENDAR),
    Subject(
        "parse: a signed mail",
        lambda octets: reading.parse(
            b"Content-Type: application/pkcs7-mime\r\n\r\n" + _SIGNED_DATA + b"\x24\x80\x04\x2b"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + octets
        ),
        _MAIL,
        (_ELEMENTS,),
    ),
    Subject(
        "parse: uuencoded files",
        mail(b"Content-Type: text/plain\r\n\r\n"),
        _MAIL,
        (_UUENCODED,),
        (Shape(b"begin 644 a\n#86)C\n`\nend\n"),),
    ),
    Subject("accept: fingerprint", lambda octets: fingerprint_of("a@b", octets), _MAIL, ((b"a",),)),
    Subject("structure: the parts of a mail", structure, _MAIL, (*PLAIN, MIME, HEADER)),
    Subject("structure: the headers of parts", headers_of_parts, _MAIL, (PARAMETERS, HEADER)),
    Subject("parse: any bytes", mail(b""), _MAIL, (MIME, FEW)),
    Subject("parse: multipart/mixed", mail(_MULTIPART % b"mixed"), _MAIL, (MIME,)),
    # A boundary that looks like a field's name: each part's header was searched for its end through all later parts.
    Subject(
        "parse: a boundary with a colon",
        mail(b'Content-Type: multipart/mixed; boundary="b:"\r\n\r\n'),
        _MAIL,
        (),
        (Shape(b"--b:\r\nA:b\r\n"), Shape(b"--b:\nA:\n")),
    ),
    Subject("parse: multipart/alternative", mail(_MULTIPART % b"alternative"), _MAIL, (MIME[:12],), quick=MIME[4:10]),
    Subject("parse: multipart/related", mail(_MULTIPART % b"related"), _MAIL, (MIME[:12],), quick=MIME[4:10]),
    Subject("parse: multipart/digest", mail(_MULTIPART % b"digest"), _MAIL, (MIME[:12],), quick=MIME[4:10]),
    Subject("parse: a delivery report", report, _MAIL, (*PLAIN, (b"\r\n\r\nFinal-Recipient: a;b",))),
    Subject("parse: images in HTML", images, _MAIL, (HTML, (b"<img src=cid:9>", b"cid:")), quick=_IMAGES),
    Subject("parse: a mail in a mail", enclosed, _MAIL, (MIME,)),
    Subject("parse: text", mail(b"Content-Type: text/plain; charset=utf-8\r\n\r\n"), _MAIL, _BODY),
    Subject(
        "parse: format=flowed",
        mail(b"Content-Type: text/plain; format=flowed; delsp=yes\r\n\r\n"),
        _MAIL,
        _BODY,
        _PARAGRAPH,
    ),
    Subject("parse: text/enriched", mail(b"Content-Type: text/enriched\r\n\r\n"), _MAIL, (HTML,), quick=_ENRICHED),
    Subject("parse: HTML", mail(b"Content-Type: text/html; charset=utf-8\r\n\r\n"), _MAIL, (HTML,), _NOT_CLOSED),
    Subject("parse: HTML with open elements", formatting, _MAIL, (), _BLOCKS),
    Subject(
        "parse: base64",
        mail(b"Content-Transfer-Encoding: base64\r\n\r\n"),
        _MAIL,
        (MIME, (b"=", b" ", b"A ", b"\n ", b"QUJD", b"QUJD\n")),
    ),
    Subject("parse: quoted-printable", mail(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"), _MAIL, (MIME,)),
    Subject("parse: take out an attachment", take_out, _MAIL, (MIME,), quick=MIME[4:10]),
    Subject("unicode_security: what deceives", deceptions, _TEXT, (*PLAIN, _DECEPTIVE)),
    Subject("html_markup: what is seen", markup, _MAIL, (HTML, (b"'data:a/", b"<!--", b"<style>", b"<p style=a:b>"))),
    Subject(
        "html_style: declarations",
        lambda data: canonical_style(decoded(data)),
        _MAIL,
        (_DECLARATIONS,),
    ),
    Subject("quotes: history and signature", answer, _TEXT, (*_BODY, _HISTORY)),
    Subject("search_words: words of a mail", found_by, _TEXT, (*PLAIN, (b"a ", b"a b")), _MARKS),
)

"""Growth-test subjects for the header, parts and encodings of a message."""

from __future__ import annotations

from collections.abc import Callable

import chardet  # noqa: F401 - loaded on first use, which must not count as memory for an input

from router.accept.accept import compute_fingerprint
from router.accept.threads import Candidate, choose_ticket
from router.mail import (
    automatic,
    bounces,
    decode,
    smime,
    transfer_encoding,
    uuencode,
)
from router.mail import parse as mail_parser
from router.mail.calendar import MAX_BYTES, calendar_text
from router.mail.dates import read_date
from router.mail.headers import MAX_TEXT_LENGTH, read_headers
from router.mail.mailboxes import MAX_VALUE_BYTES, normalize_address, read_mailboxes
from router.mail.structure import decode_body, decoded_size, read_structure
from tests.support.mail_tree import leaves
from tests.system.growth.shapes import FEW_UNITS, HEADER, MIME, PARAMETERS, Shape
from tests.system.growth.subject import PLAIN, Subject, decode_text

_HEAD = 262144  # bytes, the default of [smtp] max_header_bytes
_MAIL = 1 << 20  # less than the allowed 50 MiB, but enough to show growth
_MULTIPART = b"Content-Type: multipart/%s; boundary=b\r\n\r\n"


def make_header_parser(before: bytes, between: bytes = b"") -> Callable[[bytes], object]:
    """Returns a function that appends its input to `before` and parses the result as a header.

    Args:
        between: Replaces each line ending of the input, unless `between` is empty.
    """

    def run(data: bytes) -> object:
        if between:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", between)
        return read_headers(before + data + b"\r\n\r\na\r\n")

    return run


def make_message_parser(before: bytes) -> Callable[[bytes], object]:
    return lambda data: mail_parser.parse(before + data)


def extract_attachments(data: bytes) -> None:
    content = _MULTIPART % b"mixed" + data
    listed = mail_parser.parse(content).attachments
    if listed:
        mail_parser.extract_attachment(content, listed[-1].n)


def decode_words_after_text(data: bytes) -> object:
    """A fixed quadratic defect: each encoded word searched the text before the first word."""
    return decode.decode_encoded_words(b"a" * len(data) + data)


def parse_structure(data: bytes) -> None:
    tree = read_structure(_MULTIPART % b"mixed" + data, max_header_bytes=_HEAD, max_parts=1000, max_depth=50)
    for leaf in leaves(tree.root):
        decode_body(leaf)
        decoded_size(leaf)


def parse_part_headers(data: bytes) -> object:
    """Splits `data` into the headers of many parts, because only the start of a long field is parsed."""
    parts = (data[at : at + 8000] for at in range(0, len(data), 8000))
    return mail_parser.parse(
        _MULTIPART % b"mixed" + b"".join(b"--b\r\nContent-Type: a/b" + part + b"\r\n\r\n\r\n" for part in parts)
    )


def parse_parameters(data: bytes) -> None:
    _, found = decode.parse_parameters(b"a/b" + data, "utf-8")
    decode.parse_parameters(b"attachment; filename=" + data)
    for value in found.values():
        decode.safe_filename(value)


def parse_bounce_report(data: bytes) -> object:
    return mail_parser.parse(
        b"From: mailer-daemon@a\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + data + b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + data[:65536]
    )


def parse_bounce_without_report(data: bytes) -> object:
    """Puts the first half of `data` in the text of a bounce, and also in the header of the enclosed message."""
    half = data[: len(data) // 2]
    return mail_parser.parse(
        b"From: mailer-daemon@a\r\nSubject: failure notice\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
        b"--b\r\n\r\n" + half + b"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\nTo: " + half
    )


def parse_signed_data(data: bytes) -> None:
    """Parses `data` at several positions in S/MIME signed-data, and as a complete PKCS #7 structure."""
    for prefix in (b"\x24\x80", b"\x24\x80\x04\x84\x7f\xff\xff\xff", b"\x24\x80\x04\x01", b"\x24\x84\x7f\xff\xff\xff"):
        smime.extract_signed(_SIGNED_DATA + prefix + data, "")
    smime.extract_signed(_SIGNED_DATA[: _SIGNED_DATA.index(b"\x31\x80") + 2] + data, "")
    smime.classify_pkcs7(data)


def decode_transfer_encodings(data: bytes) -> None:
    for encoding in ("base64", "quoted-printable", "uuencode"):
        transfer_encoding.decode(data, encoding, keep_text=True)
        transfer_encoding.decoded_size(data, encoding)
    transfer_encoding.decode(b"begin 644 a\n" + data, "uuencode")
    list(uuencode.find_blocks(b"begin 644 a\n" + data))


def parse_events(data: bytes) -> object:
    """Puts `data` in the recurrence rule and in the description of an event."""
    return calendar_text(b"BEGIN:VEVENT\nRRULE:FREQ=DAILY;" + data + b"\nDESCRIPTION:" + data, "utf-8", "")


def parse_enclosed_message(data: bytes) -> object:
    return mail_parser.parse(b"Content-Type: message/rfc822\r\n\r\n" + data)


def normalize_addresses(data: bytes) -> None:
    value = decode_text(data)
    normalize_address(value)
    normalize_address(f"a@{value}")
    choose_ticket([value, "a"], value, [Candidate("ticket_1", value, frozenset({value}))])


def classify_message(data: bytes) -> None:
    value = decode_text(data)[:MAX_TEXT_LENGTH]
    automatic.classify_message("", null_reverse_path=True, subject=value)
    automatic.classify_header({b"content-type": [b"multipart/report;" + data]}, f"mailer-daemon{value}", value)
    fields = {name: [data] for name in sorted(automatic.FIELD_NAMES - {b"x-emailrouter-mark"})}
    automatic.classify_header(fields, value, value)
    automatic.may_be_relayed(fields, "list", value, value)


_FIELDS = (*PLAIN, HEADER)
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
# The elements of S/MIME signed-data (RFC 5652) before its content, with indefinite lengths.
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
_WORDS = (b"=?utf-8?q?a?= ", b"=?", b"a")
_LOCAL_PARTS = (Shape(b'"a"@'),)  # a fixed quadratic defect: each address copied the phrase before it
SUBJECTS = (
    Subject("headers: From", make_header_parser(b"From: ", b"\r\n "), _HEAD, _FIELDS, _LOCAL_PARTS),
    Subject(
        "headers: To and Cc",
        make_header_parser(b"To: ", b"\r\nCc: "),
        _HEAD,
        _FIELDS,
        quick=_ADDRESSES,
    ),
    Subject("headers: Subject", make_header_parser(b"From: a@b\r\nSubject: ", b"\r\n "), _HEAD, _FIELDS),
    Subject("headers: References", make_header_parser(b"References: ", b"\r\n "), _HEAD, _FIELDS),
    Subject("headers: Date, Message-ID", make_header_parser(b"Date: ", b"\r\nMessage-ID: "), _HEAD, _FIELDS),
    Subject("headers: Content-Type", make_header_parser(b"Content-Type: ", b"\r\n "), _HEAD, (*_FIELDS, PARAMETERS)),
    Subject("headers: any lines", make_header_parser(b""), _HEAD, (*_FIELDS, MIME)),
    Subject("headers: a date", read_date, 1024, (*PLAIN, (b"(a", b")", b"1 ", b"1:", b"Aug ", b"Mon Aug "))),
    Subject("mailboxes: an address list", read_mailboxes, MAX_VALUE_BYTES, _FIELDS, _LOCAL_PARTS, quick=_ADDRESSES),
    Subject("mailboxes, threads: comparing", normalize_addresses, 998),
    Subject("decode: encoded words", decode.decode_encoded_words, MAX_VALUE_BYTES, _FIELDS),
    Subject("decode: encoded words after text", decode_words_after_text, MAX_VALUE_BYTES, (_WORDS,)),
    Subject("decode: parameters", parse_parameters, 8192, (*PLAIN, PARAMETERS, HEADER)),
    Subject("automatic: classification", classify_message, 65536, _FIELDS),
    Subject("bounces: a delivery report", bounces.parse_report, 65536, (*_FIELDS, (b"\r\n\r\nFinal-Recipient: a;b",))),
    Subject(
        "bounces: free forms", parse_bounce_without_report, _MAIL, (*_FIELDS, _ADDRESS_LINES), quick=_ADDRESS_LINES
    ),
    Subject("smime: signed-data", parse_signed_data, _MAIL, (_ELEMENTS, FEW_UNITS), quick=_ELEMENTS),
    Subject(
        "transfer encodings",
        decode_transfer_encodings,
        _MAIL,
        (_ENCODED, _UUENCODED, FEW_UNITS),
        quick=(*_ENCODED, *_UUENCODED),
    ),
    Subject("calendar: events", parse_events, MAX_BYTES, (_CALENDAR, FEW_UNITS), quick=_CALENDAR),
    Subject(
        "parse: a signed mail",
        lambda data: mail_parser.parse(
            b"Content-Type: application/pkcs7-mime\r\n\r\n" + _SIGNED_DATA + b"\x24\x80\x04\x2b"
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + data
        ),
        _MAIL,
        (_ELEMENTS,),
    ),
    Subject(
        "parse: uuencoded files",
        make_message_parser(b"Content-Type: text/plain\r\n\r\n"),
        _MAIL,
        (_UUENCODED,),
        (Shape(b"begin 644 a\n#86)C\n`\nend\n"),),
    ),
    Subject("accept: fingerprint", lambda data: compute_fingerprint("a@b", data), _MAIL, ((b"a",),)),
    Subject("structure: the parts of a message", parse_structure, _MAIL, (*PLAIN, MIME, HEADER)),
    Subject("structure: the headers of parts", parse_part_headers, _MAIL, (PARAMETERS, HEADER)),
    Subject("parse: any bytes", make_message_parser(b""), _MAIL, (MIME, FEW_UNITS)),
    Subject("parse: multipart/mixed", make_message_parser(_MULTIPART % b"mixed"), _MAIL, (MIME,)),
    # A fixed quadratic defect searched all later parts for the end of each header.
    Subject(
        "parse: a boundary with a colon",
        make_message_parser(b'Content-Type: multipart/mixed; boundary="b:"\r\n\r\n'),
        _MAIL,
        (),
        (Shape(b"--b:\r\nA:b\r\n"), Shape(b"--b:\nA:\n")),
    ),
    Subject(
        "parse: multipart/alternative",
        make_message_parser(_MULTIPART % b"alternative"),
        _MAIL,
        (MIME[:12],),
        quick=MIME[4:10],
    ),
    Subject(
        "parse: multipart/related", make_message_parser(_MULTIPART % b"related"), _MAIL, (MIME[:12],), quick=MIME[4:10]
    ),
    Subject(
        "parse: multipart/digest", make_message_parser(_MULTIPART % b"digest"), _MAIL, (MIME[:12],), quick=MIME[4:10]
    ),
    Subject("parse: a delivery report", parse_bounce_report, _MAIL, (*PLAIN, (b"\r\n\r\nFinal-Recipient: a;b",))),
    Subject("parse: an enclosed message", parse_enclosed_message, _MAIL, (MIME,)),
    Subject(
        "parse: base64",
        make_message_parser(b"Content-Transfer-Encoding: base64\r\n\r\n"),
        _MAIL,
        (MIME, (b"=", b" ", b"A ", b"\n ", b"QUJD", b"QUJD\n")),
    ),
    Subject(
        "parse: quoted-printable",
        make_message_parser(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"),
        _MAIL,
        (MIME,),
    ),
    Subject("parse: extract an attachment", extract_attachments, _MAIL, (MIME,), quick=MIME[4:10]),
)

"""Growth-test subjects for bounces and answers: what strangers return of our replies."""

from __future__ import annotations

from contextlib import suppress

from router.accept.identities import assigned_ids, order_identities, read_ticket_numbers, reply_ids
from router.errors import Refused
from router.mail.delivery_reports import read_bounce
from router.mail.headers import MAX_REFERENCES
from router.mail.originator_fields import read_destinations
from router.mail.returned_ids import MAX_START_BYTES, find_returned_ids
from router.replies.recipients import drop_duplicates, is_no_reply, parse_recipients
from router.routing.route import Target
from router.secrets import SecretBox, new_key
from tests.system.growth.shapes import HEADER, MIME
from tests.system.growth.subject import PLAIN, Subject, decode_text

_TOKEN = b"a" * 26
_IDS = (
    *(b"er." + _TOKEN + b"@a", b"er.t." + _TOKEN + b"@", b"b-" + _TOKEN + b"=", b"b-" + _TOKEN),
    *(b"er.", b"er.t.", b"b-", b"=\r\n", b"= ", b"=40", b"+t-", b"message-id: <"),
    *(b"content-transfer-encoding: base64\n", b"\n\n", b"\n--", b"QUJD"),
)
_REPORT = (
    *(b"\r\n\r\nFinal-Recipient: a;b@c", b"\r\nDiagnostic-Code: smtp; 550 5.1.1 ", b"550-5.1.1 ", b"5.1.1", b"#5.1.1"),
    *(b"\r\n\r\nAction: failed", b"\r\n 550 "),
)
_TEXT = (b"<a@b.test>:\r\n550 ", b"\r\n\r\na@b.test\r\n", b"550 5.1.1 ", b"delayed", b"will be retried ", b"\r\n\r\n")
_BOX = SecretBox(new_key())


def read_report(data: bytes) -> object:
    return read_bounce(
        b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n" + data
    )


def read_identities(data: bytes) -> None:
    values = decode_text(data).split()[:MAX_REFERENCES]
    target = Target("a@b", "ws_1", None, "a@b", "a@b", None, tag=f"t-{values[0] if values else ''}")
    numbers = read_ticket_numbers(_BOX, "ws_1", [[target]], [f"a+t-{value}@b" for value in values], values)
    order_identities(numbers, values)
    reply_ids(values)
    assigned_ids(values)


def read_recipients(data: bytes) -> None:
    value = decode_text(data)
    for each in (value, f"{value} <a@b.test>", f'"{value}" <a@b.test>', f"a <{value}>"):
        with suppress(Refused):
            drop_duplicates(parse_recipients([each], "to"))
    is_no_reply(value)
    read_destinations(b"To: " + data + b"\r\nCc: " + data + b"\r\n\r\n")


SUBJECTS = (
    Subject("returned ids", find_returned_ids, MAX_START_BYTES, (*PLAIN, _IDS), quick=_IDS),
    Subject("bounce: a report", read_report, 1 << 20, (_REPORT, HEADER, MIME), quick=_REPORT),
    Subject(
        "bounce: a text", lambda data: read_bounce(b"From: a@b\r\n\r\n" + data), 1 << 20, (*PLAIN, _TEXT), quick=_TEXT
    ),
    Subject("replies: recipients", read_recipients, 65536, (*PLAIN, HEADER)),
    Subject("answers: identities", read_identities, 32768, (*PLAIN, _IDS), quick=_IDS),
)

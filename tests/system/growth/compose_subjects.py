"""Growth-test subjects for composing and signing replies, which quote what others wrote."""

from __future__ import annotations

import json

from router.mail.compose.files import OutgoingFile
from router.mail.compose.html import answer_request
from router.mail.compose.mail import OutgoingMail, compose
from router.mail.compose.quote import Quote
from router.mail.compose.references import build_references
from router.mail.compose.sender_name import build_sender_name
from router.mail.compose.subject import reply_subject
from router.mail.contents import NamedMailbox
from router.mail.dkim.private_key import generate, load
from router.mail.dkim.sign import sign
from tests.system.growth.subject import Subject, decode_text

_TEXT = 1 << 17  # bytes; the text of a reply has at most 100,000 characters
_MAX_LINE_LENGTH = 998  # characters of subjects and names that are stored
_KEY = load("example.com", "s1", "ed25519", generate("ed25519").private_pem)


def compose_reply(data: bytes) -> object:
    text = decode_text(data)
    line = " ".join(text[:_MAX_LINE_LENGTH].replace("\0", "").split())
    clean = json.loads(answer_request(b"[]" + text.encode(), 2)) or {"html": ""}
    mail = OutgoingMail(
        from_name=build_sender_name("", line, line),
        from_address="support@example.com",
        to=(NamedMailbox("ada@example.net", line),),
        subject=reply_subject(line),
        message_id="er.token@example.com",
        date=0,
        references=build_references("er.t.token@example.com", text.split()),
        text=text,
        html=clean["html"],
        quote=Quote(line, 0, "UTC", "en", text, clean["html"]),
        signature=text,
        attachments=(OutgoingFile(line, line, data), OutgoingFile(line, "message/rfc822", data)),
    )
    return sign(compose(mail).content, (_KEY,), 0)


_UNITS = (
    *(
        b"a",
        b" ",
        b"\n",
        b"\r\n",
        b"\0",
        b">",
        b"> \n",
        b"From \n",
        b"Re: ",
        b"[a]",
        b"\xc3\xa9",
        b"\xff",
        b"<b>",
        b"&",
    ),
    *(b"a b@c\n", b'<img src="cid:a">', b'"', b"()", b"=?", b"a/b;", b"x" * 1000 + b"\n"),
)
SUBJECTS = (Subject("compose: a signed reply", compose_reply, _TEXT, (_UNITS,), quick=_UNITS),)

"""Builds test messages as bytes, with CRLF line endings and without dot-stuffing.

With an explicit `message_id`, the same arguments return the same bytes.
"""

import itertools
from collections.abc import Sequence
from email.message import EmailMessage, MIMEPart
from email.policy import SMTP, SMTPUTF8

CUSTOMER = "Ada Customer <ada@customer.test>"
SUPPORT = "support@example.org"
DATE = "Tue, 01 Jan 2030 12:00:00 +0000"

_ASCII = SMTP.clone(cte_type="7bit")  # keeps messages valid for servers without 8BITMIME
_numbers = itertools.count(1)


def new_message_id() -> str:
    return f"<{next(_numbers)}.test@customer.test>"


def mail(
    message_id: str = "<one@customer.test>",
    subject: str = "Printer on fire",
    sender: str = "Ann <ann@customer.test>",
    extra: Sequence[str] = (),
    body: str = "Hello.",
) -> bytes:
    """Returns a message with the fields that threading needs; `extra` are additional header lines."""
    lines = [f"From: {sender}", "To: support@example.com", f"Subject: {subject}", *extra]
    if message_id:
        lines.append(f"Message-ID: {message_id}")
    return "\r\n".join([*lines, "", body, ""]).encode()


def plain(
    *,
    subject: str = "The door is stuck",
    text: str = "It does not open any more.\n",
    from_: str = CUSTOMER,
    to: str = SUPPORT,
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    return _to_bytes(_message(subject, from_, to, message_id, headers, text))


def html(
    *,
    subject: str = "The door is stuck",
    markup: str = "<p>It does <b>not</b> open any more.</p>",
    text: str | None = None,
    from_: str = CUSTOMER,
    to: str = SUPPORT,
    message_id: str | None = None,
) -> bytes:
    """Returns an HTML message, or a multipart/alternative if `text` is given."""
    message = _message(subject, from_, to, message_id, None, text)
    if text is None:
        message.set_content(markup, subtype="html")
    else:
        message.add_alternative(markup, subtype="html")
    return _to_bytes(message)


def with_attachment(
    *,
    subject: str = "Die Tür klemmt: 扉が開きません 🚪",
    text: str = "Siehe Anhang: größer als gedacht.\n",
    name: str = "Tür, Foto.png",
    content: bytes = b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    maintype: str = "image",
    subtype: str = "png",
    from_: str = "Jürgen Kunde <juergen@customer.test>",
    to: str = SUPPORT,
    message_id: str | None = None,
    headers: dict[str, str] | None = None,
) -> bytes:
    """Returns a message with an attachment.

    By default, its subject, text, sender and filename contain non-ASCII characters.
    """
    message = _message(subject, from_, to, message_id, headers, text)
    message.add_attachment(content, maintype=maintype, subtype=subtype, filename=name)
    return _to_bytes(message)


def reply_to(
    parent: str,
    *,
    subject: str = "Re: The door is stuck",
    text: str = "It still does not open.\n\nOn Tue, 1 Jan 2030, Support wrote:\n> Have you tried the key?\n",
    references: tuple[str, ...] = (),
    from_: str = CUSTOMER,
    to: str = SUPPORT,
    message_id: str | None = None,
) -> bytes:
    """Returns a reply with quoted text. parent: a message ID; references: the IDs of earlier messages."""
    headers = {"In-Reply-To": parent, "References": " ".join((*references, parent))}
    return _to_bytes(_message(subject, from_, to, message_id, headers, text))


def bounce(*, original_id: str = "<sent@example.org>", to: str = SUPPORT, message_id: str | None = None) -> bytes:
    """Returns a delivery status notification (RFC 3464), to be sent with `MAIL FROM:<>`."""
    sender = "Mail Delivery System <mailer-daemon@mx.customer.test>"
    headers = {"Auto-Submitted": "auto-replied"}
    message = _message("Undelivered Mail Returned to Sender", sender, to, message_id, headers, None)
    message["Content-Type"] = "multipart/report; report-type=delivery-status"
    message["MIME-Version"] = "1.0"
    note = MIMEPart(policy=_ASCII)
    note.set_content("I could not deliver your message.\n")
    status = MIMEPart(policy=_ASCII)
    status["Content-Type"] = "message/delivery-status"
    per_message, per_recipient = MIMEPart(policy=_ASCII), MIMEPart(policy=_ASCII)
    per_message["Reporting-MTA"] = "dns; mx.customer.test"
    per_recipient["Final-Recipient"] = "rfc822; ada@customer.test"
    per_recipient["Action"] = "failed"
    per_recipient["Status"] = "5.1.1"
    status.set_payload([per_message, per_recipient])
    returned = MIMEPart(policy=_ASCII)
    returned.set_content(f"Message-ID: {original_id}\nSubject: Re: The door is stuck\n", subtype="rfc822-headers")
    message.set_payload([note, status, returned])
    return _to_bytes(message)


def out_of_office(
    parent: str = "<sent@example.org>", *, from_: str = CUSTOMER, to: str = SUPPORT, message_id: str | None = None
) -> bytes:
    """Returns an automatic reply (RFC 3834)."""
    headers = {
        "Auto-Submitted": "auto-replied",
        "X-Auto-Response-Suppress": "All",
        "Precedence": "bulk",
        "In-Reply-To": parent,
        "References": parent,
    }
    text = "I am away until Monday.\n"
    return _to_bytes(_message("Automatic reply: The door is stuck", from_, to, message_id, headers, text))


def list_mail(*, from_: str = CUSTOMER, to: str = SUPPORT, message_id: str | None = None) -> bytes:
    """Returns a message from a mailing list (RFC 2919, RFC 2369)."""
    headers = {"List-Id": "News <news.customer.test>", "List-Unsubscribe": "<mailto:leave@customer.test>"}
    return _to_bytes(_message("[news] Doors of the month", from_, to, message_id, headers, "All about doors.\n"))


def internationalized(*, from_: str = "jürgen@kunde.test", to: str = "hilfe@example.org") -> bytes:
    """Returns a message with a UTF-8 header (RFC 6532), for sessions with SMTPUTF8."""
    return _message("Die Tür klemmt", from_, to, None, None, "Sie öffnet nicht.\n").as_bytes(policy=SMTPUTF8)


def of_size(size: int, *, subject: str = "Large", message_id: str | None = None) -> bytes:
    """Returns a plain text message of exactly `size` bytes."""
    head = plain(subject=subject, text="", message_id=message_id).rstrip(b"\r\n") + b"\r\n\r\n"
    lines, rest = divmod(size - len(head), 78)
    assert size >= len(head) + 2, "too small for its header"
    if rest == 1:  # a line has at least two bytes, CR LF, so a single byte goes into the line before
        lines, rest = lines - 1, 79
    last = b"x" * (rest - 2) + b"\r\n" if rest else b""
    return head + (b"x" * 76 + b"\r\n") * lines + last


def _message(  # noqa: PLR0917 - private
    subject: str, from_: str, to: str, message_id: str | None, headers: dict[str, str] | None, text: str | None
) -> EmailMessage:
    message = EmailMessage(policy=_ASCII)
    message["From"] = from_
    message["To"] = to
    message["Subject"] = subject
    message["Date"] = DATE
    message["Message-ID"] = message_id or new_message_id()
    for name, value in (headers or {}).items():
        message[name] = value
    if text is not None:
        message.set_content(text)
    return message


def _to_bytes(message: EmailMessage) -> bytes:
    if message.is_multipart() and message.get_boundary() is None:
        message.set_boundary("=_test_boundary")  # the default boundary is random
    return message.as_bytes()

"""Composes a whole message (RFC 5322, RFC 2045) from its texts, files and addresses.

The same input gives the same bytes. All lines end with CRLF and have at most 998 bytes, and there is no NUL. A value
that would add a header field is rejected. The message is not signed (`router.mail.dkim.sign`).
"""

from __future__ import annotations

from dataclasses import dataclass

from router.mail.compose import body, header
from router.mail.compose.files import OutgoingFile
from router.mail.compose.quote import Quote
from router.mail.compose.references import is_message_id
from router.mail.contents import NamedMailbox
from router.model import Micros
from router.reply_tokens import MARK_FIELD

__all__ = ["ComposedMail", "OutgoingFile", "OutgoingMail", "compose"]


@dataclass(frozen=True, slots=True)
class OutgoingMail:
    """What a message consists of. The recipients in Bcc are only in the envelope.

    Attributes:
        message_id: Without angle brackets.
        in_reply_to: Without angle brackets. An ID that cannot be written in a header is left out.
        references: Message-IDs without angle brackets, the newest last (`router.mail.compose.references`).
        html: A result of `router.mail.compose.html.clean_html`, "" for a message without HTML.
        signature: Plain text, "" for none. It stands above the quote.
        attachments: A file whose `content_id` the HTML references is an image in the HTML.
        mark: The value of `router.reply_tokens.MARK_FIELD`.
        is_automatic: A program wrote the message, and it must not be answered automatically (RFC 3834).
    """

    from_name: str
    from_address: str
    to: tuple[NamedMailbox, ...]
    subject: str
    message_id: str
    date: Micros
    text: str
    cc: tuple[NamedMailbox, ...] = ()
    reply_to: NamedMailbox | None = None
    in_reply_to: str = ""
    references: tuple[str, ...] = ()
    html: str = ""
    quote: Quote | None = None
    signature: str = ""
    attachments: tuple[OutgoingFile, ...] = ()
    mark: str = ""
    is_automatic: bool = False


@dataclass(frozen=True, slots=True)
class ComposedMail:
    """A message in the form in which it is stored.

    `needs_smtputf8`: an address in its header is not ASCII, so only a server with SMTPUTF8 (RFC 6531) can send it.
    Without such an address, all bytes are ASCII.
    """

    content: bytes
    needs_smtputf8: bool


def compose(mail: OutgoingMail) -> ComposedMail:
    """Composes a message.

    Raises:
        ValueError: A value contains a line break or NUL where none is allowed, or an address or Message-ID is invalid.
            The text of the error is for display.
    """
    fields = [
        header.build_date("Date", mail.date),
        header.build_mailboxes("From", (NamedMailbox(mail.from_address, mail.from_name),)),
        header.build_mailboxes("To", mail.to),
        header.build_mailboxes("Cc", mail.cc),
        header.build_mailboxes("Reply-To", (mail.reply_to,) if mail.reply_to is not None else ()),
        header.build_text("Subject", mail.subject),
        header.build_ids("Message-ID", (mail.message_id,)),
        header.build_ids("In-Reply-To", (mail.in_reply_to,) if is_message_id(mail.in_reply_to) else ()),
        header.build_ids("References", mail.references),
        header.build_token(MARK_FIELD, mail.mark),
    ]
    if mail.is_automatic:
        fields += ["Auto-Submitted: auto-replied\r\n", "X-Auto-Response-Suppress: All\r\n"]
    fields.append("MIME-Version: 1.0\r\n")
    head = "".join(fields)
    root = body.build_body(
        mail.text,
        mail.html,
        signature=mail.signature,
        quote=mail.quote,
        files=mail.attachments,
        seed=mail.message_id,
    )
    return ComposedMail(head.encode() + root.to_bytes(), not head.isascii())

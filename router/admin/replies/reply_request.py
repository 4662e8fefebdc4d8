"""What a user asks to send, and what the composer starts with. Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from router import ids
from router.admin.tickets.drafts import MAX_HTML_LENGTH, MAX_REPLY_LENGTH
from router.admin.validation import clean_long_text, validate_line
from router.enumerations import TICKET_STATUS
from router.errors import Refused
from router.mail.compose.subject import MAX_SUBJECT_LENGTH
from router.mail.contents import NamedMailbox
from router.replies.recipients import MAX_RECIPIENTS

MAX_ATTACHMENTS = 20
MAX_UNDO_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplyRequest:
    """A reply as its author wrote it.

    Attributes:
        html: The text as HTML, or `""`.
        to, cc: None for the default recipients, with `reply_all` also those of the newest message.
        subject: None for that of the newest message, with `Re: `.
        quote: Whether the newest message of the customer is quoted.
        status: The status that the ticket takes when the reply is sent; None for no change.
        undo_seconds: How long the reply can be canceled; None for the setting.
        if_last_message_id: Refuses the reply if the customer wrote, or a colleague answered, after this message.
        template_id: The template that gives the subject and the texts that are not set.
        attachments: The ids of uploads.
        force: Also sends to addresses that are undeliverable.
    """

    text: str
    html: str = ""
    to: tuple[str, ...] | None = None
    cc: tuple[str, ...] | None = None
    bcc: tuple[str, ...] = ()
    subject: str | None = None
    quote: bool = True
    reply_all: bool = False
    status: str | None = "waiting"
    undo_seconds: int | None = None
    if_last_message_id: str | None = None
    template_id: str | None = None
    attachments: tuple[str, ...] = ()
    force: bool = False

    def validated(self) -> ReplyRequest:
        """Returns the request with normalised texts. Raises `Refused`."""
        if self.undo_seconds is not None and not 0 <= self.undo_seconds <= MAX_UNDO_SECONDS:
            raise Refused("invalid_request", f"undoSeconds must be between 0 and {MAX_UNDO_SECONDS}", "undoSeconds")
        if len(self.attachments) > MAX_ATTACHMENTS:
            raise Refused("invalid_request", f"A reply has at most {MAX_ATTACHMENTS} attachments", "attachments")
        if len(self.html) > MAX_HTML_LENGTH:
            raise Refused("invalid_request", f"html must not be longer than {MAX_HTML_LENGTH} characters", "html")
        if self.if_last_message_id is not None and not ids.is_well_formed(self.if_last_message_id, "msg"):
            raise Refused("invalid_request", "ifLastMessageId must be the id of a message", "ifLastMessageId")
        check_count(len(self.to or ()) + len(self.cc or ()) + len(self.bcc))
        return replace(
            self,
            text=clean_reply_text(self.text),
            subject=None if self.subject is None else _clean_subject(self.subject),
            status=None if self.status is None else TICKET_STATUS.parse(self.status),
            attachments=tuple(dict.fromkeys(self.attachments)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposerDefaults:
    """What the composer of a ticket starts with.

    Attributes:
        from_address: The address in From.
        from_name: The name in From.
        to: The default recipients; empty if there is none.
        reply_all_cc: Whom `reply_all` adds: the recipients of the newest message of the customer.
        new_senders: Authors who joined the ticket as strangers, newest first. They are not recipients by default.
        warning: What the author should check, such as a Reply-To in another domain; `""` for nothing.
        subject: The subject of the reply.
        last_message_id: The value of `if_last_message_id`: the id of the newest mail of the customer or reply, or `""`.
        is_set_up: Whether a reply can be sent from this ticket.
        fix: What must be done first; `""` if `is_set_up`.
        undeliverable: The addresses of `to`, `reply_all_cc` and `new_senders` to which mail bounced permanently.
        signature: The signature of the alias, as it is added to the text.
        undo_seconds: How long the reply can be canceled.
        mailto_cc: The address that records an answer from another mail program on the ticket.
    """

    from_address: str = ""
    from_name: str = ""
    to: tuple[NamedMailbox, ...] = ()
    reply_all_cc: tuple[NamedMailbox, ...] = ()
    new_senders: tuple[NamedMailbox, ...] = ()
    warning: str = ""
    subject: str = ""
    last_message_id: str = ""
    is_set_up: bool = False
    fix: str = ""
    undeliverable: tuple[str, ...] = ()
    signature: str = ""
    undo_seconds: int = 0
    mailto_cc: str = ""


@dataclass(frozen=True, slots=True)
class StoredDraft:
    """What a reply remembers of its request, for the draft after it was canceled."""

    text: str
    html: str
    to: tuple[str, ...]
    cc: tuple[str, ...]
    bcc: tuple[str, ...]
    attachments: tuple[str, ...]

    def to_json(self) -> str:
        values = {
            "text": self.text,
            "html": self.html,
            "to": self.to,
            "cc": self.cc,
            "bcc": self.bcc,
            "attachments": self.attachments,
        }
        return json.dumps(values, ensure_ascii=False)

    @staticmethod
    def from_json(stored: str) -> StoredDraft:
        values = json.loads(stored)
        lists = {name: tuple(values.get(name, ())) for name in ("to", "cc", "bcc", "attachments")}
        return StoredDraft(values.get("text", ""), values.get("html", ""), **lists)


def clean_reply_text(text: str) -> str:
    """Returns the text without control characters. Rejects a blank text."""
    cleaned = clean_long_text(text, "text", max_length=MAX_REPLY_LENGTH)
    if not cleaned.strip():
        raise Refused("invalid_request", "text must not be empty", "text")
    return cleaned


def check_count(recipients: int) -> None:
    """Raises `invalid_request` for more than `MAX_RECIPIENTS`."""
    if recipients > MAX_RECIPIENTS:
        raise Refused("invalid_request", f"to, cc and bcc have at most {MAX_RECIPIENTS} addresses together", "to")


def _clean_subject(subject: str) -> str:
    return validate_line(subject, "subject", max_length=MAX_SUBJECT_LENGTH)

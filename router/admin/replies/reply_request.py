"""What a user asks to send, and what the composer starts with."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.mail.contents import NamedMailbox


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
        if_last_message_id: Refuses the reply if another message of the customer is the newest one.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ComposerDefaults:
    """What the composer of a ticket starts with.

    Attributes:
        from_address: The address in From.
        from_name: The name in From.
        to: The default recipients; empty if there is none.
        cc: Always empty without `reply_all`; see `reply_all_cc`.
        reply_all_cc: Whom `reply_all` adds: the recipients of the newest message of the customer.
        new_senders: Authors who joined the ticket as strangers, newest first. They are not recipients by default.
        warning: What the author should check, such as a Reply-To in another domain; `""` for nothing.
        subject: The subject of the reply.
        last_message_id: The value of `if_last_message_id`: the id of the newest message of the customer, or `""`.
        is_set_up: Whether a reply can be sent from this ticket.
        fix: What an administrator must do first; `""` if `is_set_up`.
        undeliverable: The addresses of `to` and `reply_all_cc` to which mail bounced permanently.
        signature: The signature of the alias, as it is added to the text.
        quoted_message_id: The message that is quoted; `""` for none.
        undo_seconds: How long the reply can be canceled.
        mailto: For a mail program: the address of the ticket that records the answer, `""` if there is none.
    """

    from_address: str
    from_name: str
    to: tuple[NamedMailbox, ...] = ()
    cc: tuple[NamedMailbox, ...] = ()
    reply_all_cc: tuple[NamedMailbox, ...] = ()
    new_senders: tuple[NamedMailbox, ...] = ()
    warning: str = ""
    subject: str = ""
    last_message_id: str = ""
    is_set_up: bool = False
    fix: str = ""
    undeliverable: tuple[str, ...] = ()
    signature: str = ""
    quoted_message_id: str = ""
    undo_seconds: int = field(default=10)
    mailto_cc: str = ""

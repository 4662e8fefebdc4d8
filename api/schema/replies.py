"""Models of replies and uploads."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from api.schema.deliveries import AttemptAnswer
from api.schema.shape import Answer, Body, NextCursor, PageParameters, Time, documented, filter_parameters
from api.schema.tickets import EventActorAnswer
from router.admin.replies.reply_request import MAX_UNDO_SECONDS, ReplyRequest
from router.admin.tickets.reply_views import ReplyAttempt, ReplyView
from router.enumerations import TICKET_STATUS, RecipientField, ReplyKind, ReplyState, TicketStatus
from router.filters import ReplyFilter

_Addresses = Annotated[list[str], Field(json_schema_extra={"maxItems": 20})]


class ReplyCreate(Body):
    """A reply to the customer."""

    text: Annotated[str, Field(json_schema_extra={"maxLength": 100000})] = ""
    """Text, without quoted text and signature. Required, unless `templateId` is given."""
    html: Annotated[str, Field(json_schema_extra={"maxLength": 300000})] = ""
    """The same as HTML; it is sanitised. Images are `https:`, or `cid:` and the id of an upload in `attachments`."""
    to: _Addresses | None = None
    """Addresses, also with a name (`Eva <eva@example.net>`); null for the author of the newest message. `to`, `cc` and
    `bcc` have at most 20 addresses together."""
    cc: _Addresses | None = None
    """Addresses that get a copy; null for none, or with `replyAll` for the recipients of the newest message."""
    bcc: _Addresses = Field(default_factory=list)
    """Addresses that get a copy that nobody else sees."""
    subject: Annotated[str | None, Field(json_schema_extra={"maxLength": 900})] = None
    """Subject; null for that of the newest message, with `Re: `."""
    quote: bool = True
    """Whether the newest message of the customer is quoted below the text."""
    reply_all: bool = False
    """Whether the recipients of the newest message also get the reply, except addresses of this installation."""
    status: Annotated[str, documented(TICKET_STATUS)] | None = TICKET_STATUS.values[2]
    """Status that the ticket takes when the reply is sent; null for no change."""
    undo_seconds: Annotated[int | None, Field(json_schema_extra={"minimum": 0, "maximum": MAX_UNDO_SECONDS})] = None
    """How long the reply can be canceled before it is sent; null for the setting `[outgoing] undo`."""
    if_last_message_id: str | None = None
    """Newest message that you have read. If the customer wrote, or another user answered, after it, the error is
    `newer_message`; null for no check."""
    template_id: str | None = None
    """Template (`tpl_...`) that gives the texts that are not set. `text` fills the editable element of its HTML."""
    attachments: Annotated[list[str], Field(json_schema_extra={"maxItems": 20})] = Field(default_factory=list)
    """Ids of uploads (`upl_...`)."""
    force: bool = False
    """Whether to send also to an address to which mail bounced permanently several times."""

    def to_request(self, uploads: list[str]) -> ReplyRequest:
        """Returns the request with the files of the form after the attachments of the body."""
        return ReplyRequest(
            **self.model_dump(exclude={"to", "cc", "bcc", "attachments"}),
            to=None if self.to is None else tuple(self.to),
            cc=None if self.cc is None else tuple(self.cc),
            bcc=tuple(self.bcc),
            attachments=(*self.attachments, *uploads),
        )


class ReplyCreated(Answer):
    """A queued reply."""

    id: str
    """Id of the reply (`rpl_...`)."""
    ticket_id: str
    """Ticket of the reply."""
    message_id: str
    """Message with its content (`msg_...`)."""
    state: ReplyState
    """State of the reply: `queued`."""
    send_at: Time
    """When it is sent. Until then it can be canceled."""
    to: list[str]
    """Addresses in To."""
    cc: list[str]
    """Addresses in Cc."""

    @classmethod
    def from_view(cls, view: ReplyView) -> Self:
        return cls.from_model(view.reply, to=list(view.to), cc=list(view.cc))


class ReplyCanceled(Answer):
    """A canceled reply."""

    id: str
    """Id of the reply (`rpl_...`)."""
    state: ReplyState
    """State of the reply: `canceled`."""


class RecipientAnswer(Answer):
    """A recipient of a reply."""

    address: str
    """Email address."""
    field: RecipientField
    """Field with the address."""
    state: ReplyState
    """State of the mail to this recipient. `sent`: the smarthost has accepted it."""
    code: int | None
    """SMTP reply code of the last answer; null without one."""
    text: str
    """Text of the last answer, or the reason of a failure; empty without one."""
    at: Time | None
    """When the state last changed; null before the first attempt."""


class ReplyAttemptAnswer(AttemptAnswer):
    """An attempt to submit a reply to the smarthost."""

    address: str
    """Recipient of the attempt; empty if another address has replaced it."""

    @classmethod
    def from_attempt(cls, found: ReplyAttempt) -> Self:
        return cls.from_model(found.attempt, address=found.address)


class ReplyAnswer(Answer):
    """A reply."""

    id: str
    """Id of the reply (`rpl_...`)."""
    ticket_id: str
    """Ticket of the reply."""
    ticket_number: int
    """Number of the ticket."""
    message_id: str
    """Message with its content (`msg_...`), which is deleted when the reply is canceled."""
    kind: ReplyKind
    """`reply` of a person, or automatic `acknowledgement` of a new ticket."""
    state: ReplyState
    """State of the recipients: the one that most needs attention."""
    subject: str
    """Subject; empty for a canceled reply."""
    recipients: list[RecipientAnswer]
    """Recipients in the order To, Cc, Bcc."""
    status: TicketStatus | None = Field(validation_alias="ticket_status")
    """Status that the ticket takes when the reply is sent; null for no change."""
    send_at: Time
    """When the reply was to be sent at the earliest."""
    next_attempt_at: Time | None
    """When the next attempt is due; null if none is planned."""
    last_error: str
    """Reason of the last failure; empty without one."""
    sent_at: Time | None
    """When the smarthost accepted it for the first recipient; null before that."""
    created_at: Time
    """When the reply was created."""
    created_by: EventActorAnswer
    """Author of the reply."""

    @classmethod
    def from_view(cls, view: ReplyView) -> Self:
        return cls.from_model(view.reply, view, **_details(view))


class ReplyDetail(ReplyAnswer):
    """A reply with its attempts."""

    attempts: list[ReplyAttemptAnswer]
    """Latest 200 attempts of all recipients, oldest first."""

    @classmethod
    def from_view(cls, view: ReplyView) -> Self:
        attempts = [ReplyAttemptAnswer.from_attempt(attempt) for attempt in view.attempts]
        return cls.from_model(view.reply, view, attempts=attempts, **_details(view))


class ReplyList(Answer):
    """A page of replies."""

    replies: list[ReplyAnswer]
    """Replies, newest first."""
    next_cursor: NextCursor = None


class ReplyRetry(Body):
    """How a reply is sent again. The body can be omitted."""

    to: _Addresses | None = None
    """Addresses that replace those that failed; null for the same addresses."""
    force: bool = False
    """Whether to send also to an address to which mail bounced permanently several times."""


class UploadAnswer(Answer):
    """A file for a reply."""

    upload_id: str = Field(validation_alias="id")
    """Id for `attachments` of a reply (`upl_...`)."""
    filename: str
    """File name."""
    size: int
    """Size in bytes."""


ReplyListParameters = filter_parameters(
    "ReplyListParameters", "Parameters of a list of replies.", ReplyFilter, PageParameters
)


def _details(view: ReplyView) -> dict[str, object]:
    reply = view.reply
    actor = EventActorAnswer.from_model(reply, actor_name=view.author_name)
    return {"created_by": actor, "recipients": [RecipientAnswer.from_model(each) for each in view.recipients]}

"""Models of tickets, their messages and events."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, create_model

from api.schema.deliveries import DeliveryAnswer
from api.schema.shape import Answer, Body, Id, JsonObject, NextCursor, Time, documented, filter_parameters
from router.admin.tickets.conversation import MessageView, TicketView
from router.choice import Choice
from router.enumerations import TICKET_STATUS, ActorType, TicketEventType, TicketPriority, TicketStatus
from router.filters import TicketFilter
from router.model import TicketEvent


class TicketAnswer(Answer):
    """A ticket in a list. `alias` is the recipient address, `from` the sender address."""

    id: str
    number: int
    from_address: str = Field(serialization_alias="from")
    from_name: str
    subject: str
    status: TicketStatus
    priority: TicketPriority
    assigned_to: str | None
    alias: str = Field(validation_alias="address")
    alias_id: str | None
    received_at: Time
    updated_at: Time
    claimed_at: Time | None
    resolved_at: Time | None
    tags: list[Annotated[str, BeforeValidator(attrgetter("name"))]]


class TicketList(Answer):
    """A page of tickets.

    `incomplete` is present and true if a search ended early: the page has fewer tickets than `limit`, maybe none, and
    `nextCursor` continues the search.
    """

    tickets: list[TicketAnswer]
    next_cursor: NextCursor = None
    incomplete: Annotated[bool, Field(exclude_if=lambda incomplete: not incomplete)] = False


class AttachmentAnswer(Answer):
    """An attachment. `n` is its number in the download path."""

    n: int
    filename: str
    content_type: str
    size: int
    inline: bool


class MailboxAnswer(Answer):
    """A mailbox of a header field. `name` is empty without a display name."""

    address: str
    name: str


class MessageAnswer(Answer):
    """A message of the conversation.

    `text` is the new text, `quoted` the quoted text, `html` sanitised HTML. `replyTo` are the mailboxes of
    Reply-To. `originalFrom` is the author if a group or list has replaced From. `replyTo` and `originalFrom`
    are unverified. `failedRecipients` are the undeliverable addresses that a bounce reports.
    """

    id: str
    from_address: str = Field(serialization_alias="from")
    from_name: str
    reply_to: list[MailboxAnswer]
    original_from: MailboxAnswer | None
    recipients: list[str]
    tag: str
    subject: str
    text: str
    quoted: str
    html: str
    attachments: list[AttachmentAnswer]
    auth: dict[str, str]
    automatic: str
    warnings: list[str]
    failed_recipients: list[str]
    size: int
    sent_at: Time | None
    received_at: Time

    @classmethod
    def from_view(cls, view: MessageView) -> Self:
        recipients = [link.recipient for link in view.links]
        tag = next((link.tag for link in view.links if link.tag), "")
        # The size is that of the message.
        return cls.from_model(view.message, view.contents, recipients=recipients, tag=tag, auth={})


# The older, shorter words for the types of events that are not their noun or verb, as in `ticket.note_added`.
_EVENT_WORDS: dict[TicketEventType, str] = {
    "ticket.created": "opened",
    "ticket.message_received": "replied",
    "ticket.resolved": "status",
}


def _event_word(event_type: TicketEventType) -> str:
    return _EVENT_WORDS.get(event_type) or event_type.removeprefix("ticket.").partition("_")[0]


class EventActorAnswer(Answer):
    """The author of an event. `id` is the id of the user, API key or message, null for `system`.

    `name` is the current name; it has a placeholder if the user or key was removed.
    """

    type: ActorType = Field(validation_alias="actor_type")
    id: str | None = Field(validation_alias="actor_id")
    name: str = Field(validation_alias="actor_name")


class EventAnswer(Answer):
    """An event of a ticket. `sequence` numbers the events of the ticket from 1.

    `event` is an older, shorter word for `type`. `userId` is the user who acted, also with an API key.
    """

    id: str
    sequence: int
    at: Time
    type: TicketEventType
    event: str
    actor: EventActorAnswer
    user_id: str | None
    detail: JsonObject

    @classmethod
    def from_event(cls, event: TicketEvent) -> Self:
        # A person who reopens a ticket sets its status.
        word = "status" if event.type == "ticket.reopened" and event.actor_type != "mail" else _event_word(event.type)
        return cls.from_model(event, event=word, actor=EventActorAnswer.from_model(event))


class TicketDetail(TicketAnswer):
    """A ticket with its first message, and its newest messages, deliveries and events.

    Each list is oldest first. `messages` has at most 50 messages, fewer if their contents exceed 16 MB
    together. `messageCount` is the number of all messages. `nextCursor` is the cursor of the messages that
    are left out.
    """

    messages: list[MessageAnswer]
    message_count: int
    next_cursor: NextCursor = None
    deliveries: list[DeliveryAnswer]
    events: list[EventAnswer]

    @classmethod
    def from_view(cls, view: TicketView) -> Self:
        messages = [MessageAnswer.from_view(message) for message in view.messages]
        events = [EventAnswer.from_event(event) for event in view.events]
        return cls.from_model(view, view.ticket, messages=messages, events=events)


class TicketMessages(Answer):
    """A page of messages of a ticket, newest first.

    The page has fewer messages than `limit` if their contents exceed 16 MB together.
    """

    messages: list[MessageAnswer]
    next_cursor: NextCursor = None


class TicketClaimed(Answer):
    """The assignee of the ticket and the time of the assignment."""

    id: str
    status: TicketStatus
    assigned_to: str | None
    claimed_at: Time | None


class TicketResolved(Answer):
    """The new status of the ticket."""

    id: str
    status: TicketStatus
    resolved_at: Time | None


TicketListParameters = filter_parameters("TicketListParameters", "Parameters of the list of all tickets.", TicketFilter)
MyTicketListParameters = filter_parameters(
    "MyTicketListParameters",
    "Parameters of the list of tickets assigned to the authenticated user.",
    TicketFilter,
    without={"assigned_to"},
)


class Assign(Body):
    """The new assignee."""

    user_id: Id


def choice_change(choice: Choice[Any]) -> type[Body]:
    """Builds the body of the call that sets a field of a ticket."""
    fields: Any = {choice.name: (str, documented(choice))}
    name = f"{choice.name.capitalize()}Change"
    model = create_model(name, __base__=Body, __doc__=f"The new {choice.name}.", **fields)
    model.codes = {choice.name: choice.code}
    return model


def choice_answer(choice: Choice[Any]) -> type[Answer]:
    """Returns the answer of the call that sets a field of a ticket."""
    if choice is TICKET_STATUS:
        return TicketResolved
    fields: Any = {"id": str, choice.name: (Literal[choice.values], ...)}
    name = f"Ticket{choice.name.capitalize()}"
    return create_model(name, __base__=Answer, __doc__=f"The new {choice.name} of the ticket.", **fields)


class NoteCreate(Body):
    """An internal note."""

    text: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 20000})]


class NoteAnswer(Answer):
    """The new note."""

    id: str
    ticket_id: str
    user_id: str | None
    text: str
    created_at: Time = Field(validation_alias="at")

    @classmethod
    def from_event(cls, event: TicketEvent) -> Self:
        return cls.from_model(event, text=json.loads(event.detail)["text"])


class TraceEventAnswer(Answer):
    """An event of a message."""

    at: Time
    event: str
    detail: dict[str, str | int | None]


class TraceAnswer(Answer):
    """Events of a message in chronological order."""

    message_id: str
    tickets: list[str] = Field(validation_alias="ticket_ids")
    events: list[TraceEventAnswer]

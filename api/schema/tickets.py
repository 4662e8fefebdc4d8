"""Models of tickets and their events."""

from __future__ import annotations

import json
from operator import attrgetter
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, create_model, field_validator

from api.schema.deliveries import DeliveryAnswer
from api.schema.messages import MessageAnswer
from api.schema.shape import (
    Answer,
    Body,
    Id,
    JsonObject,
    NextCursor,
    PageParameters,
    Time,
    documented,
    filter_parameters,
    iso,
)
from router.admin.tickets.conversation import TicketView
from router.choice import Choice
from router.enumerations import (
    SPAM_BLOCK,
    TICKET_SORT,
    TICKET_STATUS,
    ActorType,
    TicketEventType,
    TicketPriority,
    TicketStatus,
)
from router.filters import TicketFilter
from router.model import TicketEvent

SpamReason = Annotated[str | None, BeforeValidator(lambda reason: reason or None)]


class TicketAnswer(Answer):
    """A ticket in a list."""

    id: str
    """Id of the ticket (`ticket_...`)."""
    number: int
    """Number of the ticket, counted from 1 in the workspace."""
    from_address: str = Field(serialization_alias="from")
    """Address in the From field of the first message; empty without one. Unverified."""
    from_name: str
    """Display name in the From field; empty without one. Unverified."""
    subject: str
    """Subject of the first message; empty without one."""
    status: TicketStatus
    """`open`, `in_progress` (assigned), `waiting` (for the customer) or `resolved`."""
    priority: TicketPriority
    """Priority; `normal` for a new ticket."""
    assigned_to: str | None
    """Id of the assignee (`user_...`); null for an unassigned ticket."""
    alias: str = Field(validation_alias="address")
    """Address that the first message was sent to."""
    alias_id: str | None
    """Alias of that address; null if it was deleted, or for a postmaster address without an alias."""
    received_at: Time
    """When the first message was accepted."""
    updated_at: Time
    """When the ticket last changed."""
    claimed_at: Time | None
    """When the ticket was assigned; null for an unassigned ticket."""
    resolved_at: Time | None
    """When the ticket was resolved; null for an unresolved ticket."""
    first_replied_at: Time | None
    """When the first reply was handed over to the smarthost; null before that."""
    automatic: str
    """Why the first message is automatic (`bounce`, `auto-reply`, `list`, ...); empty if a person wrote any message."""
    waiting_since: Time | None
    """When the oldest unanswered message arrived; null unless the ticket is `open` or `in_progress`."""
    tags: list[Annotated[str, BeforeValidator(attrgetter("name"))]]
    """Names of its tags, in alphabetical order."""
    spam: bool
    """Whether the ticket is held as spam: lists leave it out by default, and its messages are not posted."""
    spam_reason: SpamReason
    """Why it is held as spam; null if it is not."""


class TicketList(Answer):
    """A page of tickets."""

    tickets: list[TicketAnswer]
    """Tickets in the requested order."""
    next_cursor: NextCursor = None
    incomplete: Annotated[bool, Field(exclude_if=lambda incomplete: not incomplete)] = False
    """True if a search ended before the page was full; `nextCursor` continues it. Absent otherwise."""


# The older, shorter words for the types of events that are not their noun or verb, as in `ticket.note_added`.
_EVENT_WORDS: dict[TicketEventType, str] = {
    "ticket.created": "opened",
    "ticket.message_received": "replied",
    "ticket.replied": "answered",
    "ticket.resolved": "status",
}


def _event_word(event_type: TicketEventType) -> str:
    if event_type.startswith("reply."):
        return event_type
    return _EVENT_WORDS.get(event_type) or event_type.removeprefix("ticket.").partition("_")[0]


def _public_detail(event: TicketEvent) -> dict[str, Any]:
    """Returns the detail without the values for undoing the change, and with formatted times."""
    detail: dict[str, Any] = json.loads(event.detail)
    detail.pop("before", None)
    return detail | {name: iso(detail[name]) for name in ("editedAt", "removedAt") if name in detail}


class EventActorAnswer(Answer):
    """The author of an event."""

    type: ActorType = Field(validation_alias="actor_type")
    """Kind of the author: `key` is an API key, `mail` a message, `system` the program or its operator."""
    id: str | None = Field(validation_alias="actor_id")
    """Id of the user, API key or message; null for `system`."""
    name: str = Field(validation_alias="actor_name")
    """Current name of the author; a placeholder if the user or key was removed."""


class EventAnswer(Answer):
    """An event of a ticket."""

    id: str
    """Id of the event: `evt_...`, or that of the message."""
    sequence: int
    """Number of the event in the ticket, from 1, in the order of the commits."""
    at: Time
    """When the event happened."""
    type: TicketEventType
    """What happened."""
    event: str
    """Older, shorter word for `type`."""
    actor: EventActorAnswer
    """Who caused the event."""
    user_id: str | None
    """User who acted, also with an API key; null for messages and `system`."""
    detail: JsonObject
    """Values of the event. The keys depend on `type`, such as `from`, `to`, `messageId`, `replyId` or `text`."""

    @classmethod
    def from_event(cls, event: TicketEvent) -> Self:
        # A person who reopens a ticket sets its status.
        word = "status" if event.type == "ticket.reopened" and event.actor_type != "mail" else _event_word(event.type)
        actor = EventActorAnswer.from_model(event)
        return cls.from_model(event, event=word, actor=actor, detail=json.dumps(_public_detail(event)))


class TicketDetail(TicketAnswer):
    """A ticket with its first message, and its newest messages, deliveries and events."""

    messages: list[MessageAnswer]
    """First message and the newest 49, oldest first. Fewer if their contents exceed 16 MB together."""
    message_count: int
    """Number of all messages of the ticket."""
    next_cursor: NextCursor = None
    deliveries: list[DeliveryAnswer]
    """Latest 200 deliveries except updates, oldest first."""
    events: list[EventAnswer]
    """Latest 500 events, oldest first."""

    @classmethod
    def from_view(cls, view: TicketView) -> Self:
        messages = [MessageAnswer.from_view(message) for message in view.messages]
        events = [EventAnswer.from_event(event) for event in view.events]
        return cls.from_model(view, view.ticket, messages=messages, events=events)


class TicketMessages(Answer):
    """A page of messages of a ticket. It is shorter than `limit` if their contents exceed 16 MB together."""

    messages: list[MessageAnswer]
    """Messages, newest first."""
    next_cursor: NextCursor = None


class TicketClaimed(Answer):
    """The assignee of the ticket and the time of the assignment."""

    id: str
    """Id of the ticket (`ticket_...`)."""
    status: TicketStatus
    """New status of the ticket."""
    assigned_to: str | None
    """Id of the assignee (`user_...`); null if the ticket is unassigned now."""
    claimed_at: Time | None
    """When the ticket was assigned; null if it is unassigned now."""


class TicketResolved(Answer):
    """The new status of the ticket."""

    id: str
    """Id of the ticket (`ticket_...`)."""
    status: TicketStatus
    """New status of the ticket."""
    resolved_at: Time | None
    """When the ticket was resolved; null if it is not resolved."""


class SpamChange(Body):
    """Whether a ticket is spam."""

    spam: bool
    """True holds the ticket as spam; false releases it, and posts the messages that were held."""
    block: Annotated[str | None, documented(SPAM_BLOCK)] = None
    """With `spam: true`, also blocks the `address` of the sender or their whole `domain`. Admins only."""
    learn: bool = False
    """Not supported yet: must be false."""

    @field_validator("learn")
    @classmethod
    def _refuse_learning(cls, learn: bool) -> bool:
        if learn:
            raise ValueError("is not supported yet: it must be false")
        return learn


class TicketSpam(Answer):
    """Whether the ticket is spam now."""

    id: str
    """Id of the ticket (`ticket_...`)."""
    spam: bool
    """Whether the ticket is held as spam."""
    spam_reason: SpamReason
    """Why it is held as spam; null if it is not."""


class TicketPageParameters(PageParameters):
    """Parameters of all lists of tickets."""

    sort: str | None = Field(
        default=None,
        description="Order of the list: `newest` first (the default), `oldest` first, `priority` (urgent first), or "
        "`waiting`: only `open` and `in_progress` tickets, the one whose oldest unanswered message arrived first. A "
        "search with `q` is always newest first.",
        json_schema_extra={"enum": list(TICKET_SORT.values)},
    )


TicketListParameters = filter_parameters(
    "TicketListParameters", "Parameters of the list of all tickets.", TicketFilter, TicketPageParameters
)
MyTicketListParameters = filter_parameters(
    "MyTicketListParameters",
    "Parameters of the list of tickets assigned to the authenticated user.",
    TicketFilter,
    TicketPageParameters,
    without={"assigned_to"},
)
UnassignedTicketListParameters = filter_parameters(
    "UnassignedTicketListParameters",
    "Parameters of the list of unassigned tickets.",
    TicketFilter,
    TicketPageParameters,
    without={"assigned_to"},
)


class ClaimOptions(Body):
    """How a ticket is claimed. The body can be omitted."""

    take_over: bool = False
    """Whether to take the ticket over from another assignee."""


class Assign(Body):
    """The new assignee."""

    user_id: Id
    """User with the role `agent` or `admin`."""


def choice_change(choice: Choice[Any]) -> type[Body]:
    """Builds the body of the call that sets a field of a ticket."""
    fields: Any = {choice.name: (Annotated[str, documented(choice)], Field(description=f"New {choice.name}."))}
    name = f"{choice.name.capitalize()}Change"
    model = create_model(name, __base__=Body, __doc__=f"The new {choice.name}.", **fields)
    model.codes = {choice.name: choice.code}
    return model


def choice_answer(choice: Choice[Any]) -> type[Answer]:
    """Returns the answer of the call that sets a field of a ticket."""
    if choice is TICKET_STATUS:
        return TicketResolved
    fields: Any = {
        "id": (str, Field(description="Id of the ticket (`ticket_...`).")),
        choice.name: (Literal[choice.values], Field(description=f"New {choice.name} of the ticket.")),
    }
    name = f"Ticket{choice.name.capitalize()}Changed"
    return create_model(name, __base__=Answer, __doc__=f"The new {choice.name} of the ticket.", **fields)


class NoteCreate(Body):
    """An internal note."""

    text: Annotated[str, Field(json_schema_extra={"minLength": 1, "maxLength": 20000})]
    """Text of the note. Only users of the workspace see it."""


class NoteChange(NoteCreate):
    """The new text of a note."""


class NoteAnswer(Answer):
    """A note."""

    id: str
    """Id of the note (`evt_...`)."""
    ticket_id: str
    """Ticket of the note."""
    user_id: str | None
    """Author of the note; null for the operator at the command line."""
    text: str
    """Text of the note."""
    created_at: Time = Field(validation_alias="at")
    """When the note was added."""
    edited_at: Time | None
    """When its author edited the note; null if it is unchanged."""

    @classmethod
    def from_event(cls, event: TicketEvent) -> Self:
        detail = json.loads(event.detail)
        return cls.from_model(event, text=detail["text"], edited_at=detail.get("editedAt"))

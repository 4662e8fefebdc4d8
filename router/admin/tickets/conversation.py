"""A ticket as people read it: its messages with their contents, what happened to it, and where it was told.

Everything is bounded: the latest messages, deliveries and events, each list oldest first. `opened` and `replied` are
not stored as events, they are the messages themselves.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass

from router.contents.store import ContentStore
from router.mail.contents import Contents
from router.model import Delivery, Message, Micros, Ticket, TicketEvent, TicketMessage
from router.store.database import Database, fetch

MOST_MESSAGES = 100
MOST_LINKS = 1000
MOST_DELIVERIES = 200
MOST_EVENTS = 500


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of a ticket: its row, the recipients that brought it here, and what is read of it."""

    message: Message
    links: tuple[TicketMessage, ...]
    contents: Contents


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket with all that belongs to it."""

    ticket: Ticket
    messages: tuple[MessageView, ...]
    deliveries: tuple[Delivery, ...]
    events: tuple[TicketEvent, ...]


class Conversation:
    """Gathers what belongs to a ticket."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def catch_up(self, patience: float) -> None:
        """See `ContentStore.catch_up`: called before tickets are searched."""
        await self._contents.catch_up(patience)

    async def of(self, ticket: Ticket) -> TicketView:
        """All of it. Messages that no parser has been over are parsed now, a few at a time."""
        messages = await fetch(self._database, Message, "message_of_ticket", ticket_id=ticket.id, most=MOST_MESSAGES)
        links = await fetch(self._database, TicketMessage, "ticket_links_of", ticket_id=ticket.id, most=MOST_LINKS)
        deliveries = await fetch(
            self._database,
            Delivery,
            "delivery_page_by_ticket",
            ticket_id=ticket.id,
            workspace_id=ticket.workspace_id,
            before=f"dlv_{'z' * 26}",
            most=MOST_DELIVERIES,
            state=None,
            integration_id=None,
        )
        events = await fetch(self._database, TicketEvent, "ticket_events_of", ticket_id=ticket.id, most=MOST_EVENTS)
        contents = await asyncio.gather(*(self._contents.of(message.id) for message in messages))
        by_message: dict[str, list[TicketMessage]] = {}
        for link in links:
            by_message.setdefault(link.message_id, []).append(link)
        views = tuple(
            MessageView(message, tuple(by_message.get(message.id, ())), content)
            for message, content in zip(messages, contents, strict=True)
        )
        views = views[::-1]
        told = sorted([*events, *_arrivals(ticket, views)], key=_order)
        return TicketView(ticket, views, tuple(deliveries[::-1]), tuple(told))


def _order(event: TicketEvent) -> tuple[Micros, str]:
    """By time; what happened in the same microsecond by the id, which sorts by time too once its prefix is off."""
    return event.at, event.id.partition("_")[2]


def _arrivals(ticket: Ticket, views: Sequence[MessageView]) -> list[TicketEvent]:
    """`opened` and `replied`, made of the messages."""
    return [
        TicketEvent(
            id=view.message.id,
            ticket_id=ticket.id,
            workspace_id=ticket.workspace_id,
            at=view.message.received_at,
            kind="replied" if any(link.joined_by for link in view.links) else "opened",
            user_id=None,
            detail=json.dumps({"messageId": view.message.id}),
        )
        for view in views
    ]

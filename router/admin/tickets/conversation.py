"""A ticket with its messages, deliveries and events, and its messages in pages.

Everything is bounded: counts by the constants below, and what is read of the messages by `MAX_CONTENT_BYTES`, since one
of them can be 6 MB. `opened` and `replied` are not stored as events; they are made of the messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from router.admin import paging, validation
from router.admin.paging import Page, PageRequest
from router.admin.tickets import timeline
from router.admin.tickets.timeline import Timeline, TimelineReader
from router.contents.store import ContentStore
from router.errors import not_found
from router.mail.contents import Contents
from router.model import Delivery, Message, Micros, Ticket, TicketEvent, TicketMessage
from router.store.database import Database, fetch_model, fetch_models

MAX_MESSAGES = 50
# Of text, quoted text and HTML of the messages in one answer: five such answers at once fit into the memory that a
# process has to spare. Two messages always do (`router.mail.contents.ParseLimits`).
MAX_CONTENT_BYTES = 16_000_000
# Answers that are read at the same time: others wait, so that only so many hold contents. Each is encoded at once.
MAX_CONCURRENT_READS = 2
MAX_DELIVERIES = 200
MAX_EVENTS = 500


@dataclass(frozen=True, slots=True)
class MessageView:
    """One message of a ticket: its row, the recipients that brought it here, and what is read of it."""

    message: Message
    links: tuple[TicketMessage, ...]
    contents: Contents


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket, each list oldest first.

    messages: the first and the newest ones. message_count: of all messages. next_cursor: continues with the messages
    that are not included (`ConversationReader.messages`), None if all are.
    """

    ticket: Ticket
    messages: tuple[MessageView, ...]
    message_count: int
    next_cursor: str | None
    deliveries: tuple[Delivery, ...]
    events: tuple[TicketEvent, ...]


class ConversationReader:
    """Reads what belongs to a ticket. Messages that no parser has been over are parsed now."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents
        self._timelines = TimelineReader(database, contents)
        self._read_slots = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def catch_up(self, patience: float) -> None:
        """See `ContentStore.catch_up`: awaited before tickets are searched."""
        await self._contents.parse_missing(patience)

    async def read_ticket(self, ticket: Ticket) -> TicketView:
        """The first message and the newest, `MAX_MESSAGES` together, fewer where they pass `MAX_CONTENT_BYTES`."""
        ends = await timeline.fetch_message_bounds(self._database, ticket)
        newest = await self._fetch_page(ticket, f"msg_{timeline.MAX_ID_SUFFIX}", MAX_MESSAGES)
        if (
            newest
            and newest[-1].id != ends.first
            and (first := await self._fetch_message(ticket, ends.first)) is not None
        ):
            newest[-1] = first
        events = await fetch_models(
            self._database,
            TicketEvent,
            "ticket_event_page",
            ticket_id=ticket.id,
            before=f"evt_{timeline.MAX_ID_SUFFIX}",
            limit=MAX_EVENTS,
        )
        deliveries = await self._fetch_deliveries(ticket)
        views = sorted(
            await self._read_contents(ticket, [*newest[-1:], *newest[:-1]]), key=lambda view: view.message.id
        )
        arrivals = [timeline.arrival_event(ticket, view.message, view.links) for view in views]
        return TicketView(
            ticket,
            tuple(views),
            ends.count,
            paging.encode_cursor(views[1].message.id) if 1 < len(views) < ends.count else None,
            deliveries,
            tuple(sorted([*events, *arrivals], key=_event_order)),
        )

    async def read_messages(self, ticket: Ticket, request: PageRequest) -> Page[MessageView]:
        """A page of the ticket's messages, newest first; shorter where they pass `MAX_CONTENT_BYTES`."""
        found = await self._fetch_page(ticket, request.before, request.row_limit)
        views = await self._read_contents(ticket, found[: request.limit])
        return Page(tuple(views), paging.encode_cursor(views[-1].message.id) if len(views) < len(found) else None)

    async def read_message(self, ticket: Ticket, message_id: str) -> MessageView:
        """One message of the ticket; raises `not_found`."""
        validation.validate_id(message_id, "msg", "Message")
        message = await self._fetch_message(ticket, message_id)
        links = await timeline.fetch_links(self._database, ticket, [message_id])
        if message is None or message_id not in links:
            raise not_found("Message")
        return MessageView(message, links[message_id], await self._contents.get(message_id))

    async def read_timeline(self, ticket: Ticket, before: str | None) -> Timeline:
        """See `TimelineReader.read`."""
        return await self._timelines.read(ticket, before)

    async def _fetch_page(self, ticket: Ticket, before: str, most: int) -> list[Message]:
        return await fetch_models(
            self._database, Message, "message_page_by_ticket", ticket_id=ticket.id, before=before, limit=most
        )

    async def _fetch_message(self, ticket: Ticket, message_id: str) -> Message | None:
        return await fetch_model(
            self._database, Message, "message_by_id", id=message_id, workspace_id=ticket.workspace_id
        )

    async def _read_contents(self, ticket: Ticket, messages: Sequence[Message]) -> list[MessageView]:
        """The messages in their order, the first two and as many more as `MAX_CONTENT_BYTES` allow.

        One after another: no more is held at any time than that and one message.
        """
        message_ids = [message.id for message in messages]
        links = await timeline.fetch_links(self._database, ticket, message_ids)
        for message_id in await self._contents.list_unparsed(message_ids):  # takes time: not while others wait
            await self._contents.get(message_id)
        views: list[MessageView] = []
        left = MAX_CONTENT_BYTES
        async with self._read_slots:
            for message in messages:
                contents = await self._contents.get(message.id)
                left -= contents.size
                if left < 0 and len(views) > 1:
                    break
                views.append(MessageView(message, links.get(message.id, ()), contents))
        return views

    async def _fetch_deliveries(self, ticket: Ticket) -> tuple[Delivery, ...]:
        newest_first = await fetch_models(
            self._database,
            Delivery,
            "delivery_page_by_ticket",
            ticket_id=ticket.id,
            workspace_id=ticket.workspace_id,
            before=f"dlv_{'z' * 26}",
            limit=MAX_DELIVERIES,
            state=None,
            integration_id=None,
        )
        return tuple(newest_first[::-1])


def _event_order(event: TicketEvent) -> tuple[Micros, str]:
    """By time; what happened in the same microsecond by the id, which sorts by time too once its prefix is off."""
    return event.at, event.id.partition("_")[2]

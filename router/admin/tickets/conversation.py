"""Reads tickets with their messages, deliveries and events, and pages of the messages of a ticket.

The total size of the contents is limited, because one message can have 6 MB of contents. The events
`ticket.created` and `ticket.message_received` are derived from the messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from router.admin import paging, ticket_events, validation
from router.admin.paging import Page, PageRequest
from router.admin.tickets import timeline
from router.admin.tickets.reply_views import ReplyView, read_by_messages
from router.admin.tickets.sender_checks import NO_CHECKS, SenderChecks, read_checks
from router.admin.tickets.timeline import Timeline, TimelineReader
from router.contents.store import ContentStore
from router.errors import not_found_error
from router.filters import DeliveryFilter
from router.mail.contents import Contents
from router.model import Delivery, Message, Ticket, TicketEvent, TicketMessage
from router.store.database import Database, fetch_model, fetch_models

MAX_MESSAGES = 50
# Maximum size of text, quoted text and HTML in one result. The contents of two messages always fit
# (`router.mail.contents.ParseLimits`). See docs/decisions/0030-ticket-in-parts.md.
MAX_CONTENT_BYTES = 16_000_000
# Bounds the memory for contents.
MAX_CONCURRENT_READS = 2
MAX_DELIVERIES = 200
MAX_EVENTS = 500


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message of a ticket with its contents, and the recipients that link it to the ticket.

    `reply` is the reply whose content the message is.
    """

    message: Message
    links: tuple[TicketMessage, ...]
    contents: Contents
    checks: SenderChecks = NO_CHECKS
    reply: ReplyView | None = None

    @property
    def warning(self) -> str:
        return timeline.find_warning(self.links)

    @property
    def is_new_sender(self) -> bool:
        return timeline.has_new_sender(self.links)


@dataclass(frozen=True, slots=True)
class TicketView:
    """A ticket. All lists are ordered oldest first, the events by their sequence.

    Attributes:
        messages: The first message and the newest messages.
        message_count: The number of all messages.
        next_cursor: The cursor for reading the messages that are not included, if any.
        events: The newest stored events, and one event for each of `messages`.
    """

    ticket: Ticket
    messages: tuple[MessageView, ...]
    message_count: int
    next_cursor: str | None
    deliveries: tuple[Delivery, ...]
    events: tuple[TicketEvent, ...]


class ConversationReader:
    """Reads tickets and messages. Messages that are not parsed yet are parsed first."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents
        self._timelines = TimelineReader(database, contents)
        self._read_slots = asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def parse_missing(self, timeout: float) -> None:
        await self._contents.parse_missing(timeout)

    async def read_ticket(self, ticket: Ticket) -> TicketView:
        bounds = await timeline.fetch_message_bounds(self._database, ticket)
        newest = await self._fetch_page(ticket, f"msg_{timeline.MAX_ID_SUFFIX}", MAX_MESSAGES)
        if (
            newest
            and newest[-1].id != bounds.first
            and (first := await self._fetch_message(ticket, bounds.first)) is not None
        ):
            newest[-1] = first
        events = await ticket_events.fetch_newest(
            self._database, ticket.id, before=f"evt_{timeline.MAX_ID_SUFFIX}", limit=MAX_EVENTS
        )
        deliveries = await self._fetch_deliveries(ticket)
        views = sorted(
            await self._read_contents(ticket, [*newest[-1:], *newest[:-1]]), key=lambda view: view.message.id
        )
        arrivals = [timeline.message_event(ticket, view.message, view.links, view.reply) for view in views]
        return TicketView(
            ticket,
            tuple(views),
            bounds.count,
            paging.encode_cursor(views[1].message.id) if 1 < len(views) < bounds.count else None,
            deliveries,
            tuple(sorted([*events, *arrivals], key=lambda event: event.sequence)),
        )

    async def read_messages(self, ticket: Ticket, request: PageRequest) -> Page[MessageView]:
        """Reads a page of messages, newest first. The page has fewer messages if their contents are too large."""
        messages = await self._fetch_page(ticket, request.position, request.row_limit)
        views = await self._read_contents(ticket, messages[: request.limit])
        return Page(tuple(views), paging.encode_cursor(views[-1].message.id) if len(views) < len(messages) else None)

    async def read_message(self, ticket: Ticket, message_id: str) -> MessageView:
        """Raises `not_found` for a message of another ticket."""
        validation.validate_id(message_id, "msg", "Message")
        message = await self._fetch_message(ticket, message_id)
        links = await timeline.fetch_links(self._database, ticket, [message_id])
        if message is None or message_id not in links:
            raise not_found_error("Message")
        checks = await read_checks(self._database, [message_id])
        replies = await read_by_messages(self._database, [message])
        contents = await self._contents.get(message_id)
        return MessageView(
            message, links[message_id], contents, checks.get(message_id, NO_CHECKS), replies.get(message_id)
        )

    async def read_timeline(self, ticket: Ticket, before: str | None) -> Timeline:
        return await self._timelines.read(ticket, before)

    async def _fetch_page(self, ticket: Ticket, before: str, limit: int) -> list[Message]:
        return await fetch_models(
            self._database, Message, "message_page_by_ticket", ticket_id=ticket.id, before=before, limit=limit
        )

    async def _fetch_message(self, ticket: Ticket, message_id: str) -> Message | None:
        return await fetch_model(
            self._database, Message, "message_by_id", id=message_id, workspace_id=ticket.workspace_id
        )

    async def _read_contents(self, ticket: Ticket, messages: Sequence[Message]) -> list[MessageView]:
        """Reads the contents of messages in order, up to `MAX_CONTENT_BYTES` in total.

        The contents of the first two messages are always read.
        """
        message_ids = [message.id for message in messages]
        links = await timeline.fetch_links(self._database, ticket, message_ids)
        checks = await read_checks(self._database, message_ids)
        replies = await read_by_messages(self._database, messages)
        # Parsing is slow, so it happens before a read slot is taken.
        for message_id in await self._contents.list_unparsed(message_ids):
            await self._contents.get(message_id)
        views: list[MessageView] = []
        remaining = MAX_CONTENT_BYTES
        async with self._read_slots:
            for message in messages:
                contents = await self._contents.get(message.id)
                remaining -= contents.size
                if remaining < 0 and len(views) > 1:
                    break
                views.append(
                    MessageView(
                        message,
                        links.get(message.id, ()),
                        contents,
                        checks.get(message.id, NO_CHECKS),
                        replies.get(message.id),
                    )
                )
        return views

    async def _fetch_deliveries(self, ticket: Ticket) -> tuple[Delivery, ...]:
        newest_first = await fetch_models(
            self._database,
            Delivery,
            "delivery_page",
            **DeliveryFilter(ticket_id=ticket.id, without_updates=True).parameters(),
            workspace_id=ticket.workspace_id,
            before=f"dlv_{'z' * 26}",
            limit=MAX_DELIVERIES,
        )
        return tuple(newest_first[::-1])

"""The timeline of a ticket: its messages and events in chronological order, read in sections.

Every section contains the first message, and the newest section also contains the newest message. Messages are read
one at a time and reduced to excerpts, so memory is bounded.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router import ids
from router.admin import ticket_events
from router.admin.tickets.reply_views import ReplyView, read_by_messages
from router.admin.tickets.sender_checks import NO_CHECKS, SenderChecks, read_checks
from router.contents.store import ContentStore
from router.errors import Refused
from router.mail import html_design
from router.mail.contents import Attachment, NamedMailbox
from router.mail.mailboxes import normalize_address
from router.mail.originator_fields import drop_if_same
from router.model import Message, Ticket, TicketEvent, TicketMessage
from router.store.database import Database, fetch_model, fetch_models

MAX_ENTRIES = 30
MAX_EXCERPT_LENGTH = 40_000  # in characters; the first and the newest message are not truncated
MAX_LINKS = 5000  # maximum number of recipients in one page or section
# Maximum number of newest messages that are searched for one from the ticket's sender.
MAX_REPLY_SEARCH = 200
# Greater than any id suffix, because the first character of an id suffix is at most 7.
MAX_ID_SUFFIX = "z" * 26


@dataclass(frozen=True, slots=True)
class MessageExcerpt:
    """A message without its quoted text and HTML.

    Attributes:
        links: The recipients by which the message belongs to the ticket.
        has_layout: The HTML loses information as text (`router.mail.html_design`).
        is_full: The message is the first or the newest, so `text` is not truncated.
        failed_recipients: The recipients named in a bounce.
        reply_to: The mailboxes of Reply-To; empty if they equal From.
        original_from: The author if a group or list has replaced From, otherwise None.
        reply: The reply whose content the message is, with its recipients.
    """

    message: Message
    links: tuple[TicketMessage, ...]
    text: str
    is_full: bool
    is_truncated: bool
    quoted_lines: int
    has_html: bool
    has_layout: bool
    has_remote_images: bool
    attachments: tuple[Attachment, ...]
    warnings: tuple[str, ...]
    failed_recipients: tuple[str, ...]
    reply_to: tuple[NamedMailbox, ...]
    original_from: NamedMailbox | None
    checks: SenderChecks = NO_CHECKS
    reply: ReplyView | None = None

    @property
    def warning(self) -> str:
        return find_warning(self.links)

    @property
    def is_new_sender(self) -> bool:
        return has_new_sender(self.links)


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A message or an event, after `omitted_before` entries that are not in the section."""

    event: TicketEvent
    excerpt: MessageExcerpt | None
    omitted_before: int

    @property
    def position(self) -> str:
        """The value of `before` for the section that ends just before this entry."""
        return _id_suffix(self.event.id)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A section of a timeline, oldest entry first.

    `reply_addresses` are the recipients of a reply to the ticket's sender, if any.
    """

    ticket: Ticket
    entries: tuple[TimelineEntry, ...]
    reply_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageBounds:
    """The number of messages of a ticket, and the ids of its first and newest message.

    The ids are `""` for a ticket without messages.
    """

    count: int
    first: str
    newest: str


async def fetch_message_bounds(database: Database, ticket: Ticket) -> MessageBounds:
    row = await database.fetch_one("ticket_message_ends", ticket_id=ticket.id)
    return MessageBounds(row["messages"], row["first"] or "", row["newest"] or "") if row else MessageBounds(0, "", "")


async def fetch_links(
    database: Database, ticket: Ticket, message_ids: Sequence[str]
) -> dict[str, tuple[TicketMessage, ...]]:
    links_by_message: dict[str, list[TicketMessage]] = {}
    id_list = json.dumps(list(message_ids))
    for link in await fetch_models(
        database, TicketMessage, "ticket_recipients", ticket_id=ticket.id, ids=id_list, limit=MAX_LINKS
    ):
        links_by_message.setdefault(link.message_id, []).append(link)
    return {message_id: tuple(links) for message_id, links in links_by_message.items()}


def find_warning(links: Sequence[TicketMessage]) -> str:
    """Returns what the reader of a message is warned of, or `""`."""
    return next((link.warning for link in links if link.warning), "")


def has_new_sender(links: Sequence[TicketMessage]) -> bool:
    """Whether the author of a message joined the ticket as a stranger."""
    return any(link.new_sender for link in links)


def message_event(
    ticket: Ticket, message: Message, links: Sequence[TicketMessage], reply: ReplyView | None = None
) -> TicketEvent:
    """Derives `ticket.created`, `ticket.message_received` or `ticket.replied` from a message, which are not stored.

    `reply` is the reply whose content the message is. Users also answer without one, from another mail program.
    """
    if message.direction == "outbound":
        return _replied_event(ticket, message, links, reply)
    event = TicketEvent(
        id=message.id,
        ticket_id=ticket.id,
        workspace_id=ticket.workspace_id,
        sequence=links[0].sequence if links else 0,
        at=message.received_at,
        type="ticket.message_received" if any(link.joined_by for link in links) else "ticket.created",
        actor_type="mail",
        actor_id=message.id,
        user_id=None,
        detail=json.dumps({"messageId": message.id}),
        actor_name=message.from_name or message.from_address,
    )
    return ticket_events.with_name(event)


def _replied_event(
    ticket: Ticket, message: Message, links: Sequence[TicketMessage], reply: ReplyView | None
) -> TicketEvent:
    detail = {"messageId": message.id} | ({} if reply is None else {"replyId": reply.reply.id})
    event = TicketEvent(
        id=message.id,
        ticket_id=ticket.id,
        workspace_id=ticket.workspace_id,
        sequence=links[0].sequence if links else 0,
        at=message.received_at,
        type="ticket.replied",
        actor_type="user" if reply is None else reply.reply.actor_type,
        actor_id=message.user_id if reply is None else reply.reply.actor_id,
        user_id=message.user_id,
        detail=json.dumps(detail),
        actor_name=message.from_name or message.from_address if reply is None else reply.author_name,
    )
    return ticket_events.with_name(event)


class TimelineReader:
    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def read(self, ticket: Ticket, before: str | None = None) -> Timeline:
        """Reads the newest section, or the section before the position `before`.

        Raises `Refused` if `before` is malformed.
        """
        if before is not None and not ids.is_well_formed(f"msg_{before}", "msg"):
            raise Refused("invalid_request", "before is not a position in this timeline", "before")
        items = await self._fetch_section(ticket, before or MAX_ID_SUFFIX)
        # Entries can be omitted only before the first item and the messages added below.
        after_gap = {item.id for item in items[:1]}
        bounds = await fetch_message_bounds(self._database, ticket)
        for message_id in (bounds.first,) if before else (bounds.first, bounds.newest):
            is_included = any(item.id == message_id for item in items)
            if not is_included and (message := await self._fetch_message(ticket, message_id)) is not None:
                after_gap.add(message_id)
                items.append(message)
        message_ids = [item.id for item in items if isinstance(item, Message)]
        links = await fetch_links(self._database, ticket, message_ids)
        checks = await read_checks(self._database, message_ids)
        replies = await read_by_messages(self._database, items)
        entries: list[TimelineEntry] = []
        next_index = 0
        for item in sorted(items, key=lambda item: _id_suffix(item.id)):
            index = next_index
            if item.id in after_gap:
                index = await self._count_entries_before(ticket, _id_suffix(item.id))
            excerpt = None
            if isinstance(item, Message):
                is_full = item.id in (bounds.first, bounds.newest)
                excerpt = replace(
                    await self._read_excerpt(
                        item, links.get(item.id, ()), checks.get(item.id, NO_CHECKS), is_full=is_full
                    ),
                    reply=replies.get(item.id),
                )
            event = (
                item
                if isinstance(item, TicketEvent)
                else message_event(ticket, item, links.get(item.id, ()), replies.get(item.id))
            )
            entries.append(TimelineEntry(event, excerpt, max(0, index - next_index)))
            next_index = index + 1
        return Timeline(ticket, tuple(entries), await self._find_reply_addresses(ticket, bounds, entries))

    async def _fetch_section(self, ticket: Ticket, end: str) -> list[Message | TicketEvent]:
        messages = await fetch_models(
            self._database,
            Message,
            "message_page_by_ticket",
            ticket_id=ticket.id,
            before=f"msg_{end}",
            limit=MAX_ENTRIES,
        )
        events = await ticket_events.fetch_newest(self._database, ticket.id, before=f"evt_{end}", limit=MAX_ENTRIES)
        newest: list[Message | TicketEvent] = [*messages, *events]
        return sorted(newest, key=lambda item: _id_suffix(item.id))[-MAX_ENTRIES:]

    async def _fetch_message(self, ticket: Ticket, message_id: str) -> Message | None:
        return await fetch_model(
            self._database, Message, "message_by_id", id=message_id, workspace_id=ticket.workspace_id
        )

    async def _count_entries_before(self, ticket: Ticket, position: str) -> int:
        row = await self._database.fetch_one(
            "ticket_entries_before", ticket_id=ticket.id, message=f"msg_{position}", event=f"evt_{position}"
        )
        return int(row["entries"]) if row else 0

    async def _read_excerpt(
        self, message: Message, links: tuple[TicketMessage, ...], checks: SenderChecks = NO_CHECKS, *, is_full: bool
    ) -> MessageExcerpt:
        contents = await self._contents.get(message.id)
        text = contents.text if is_full else contents.text[:MAX_EXCERPT_LENGTH]
        original = drop_if_same(message.from_address, [contents.original_from] if contents.original_from else [])
        return MessageExcerpt(
            message=message,
            links=links,
            text=text,
            is_full=is_full,
            is_truncated=len(text) < len(contents.text),
            quoted_lines=contents.quoted_lines,
            has_html=contents.html != "",
            has_layout=html_design.has_layout(contents.html),
            has_remote_images=html_design.has_remote_images(contents.html),
            attachments=contents.attachments,
            warnings=contents.warnings,
            failed_recipients=contents.failed_recipients,
            reply_to=drop_if_same(message.from_address, contents.reply_to),
            original_from=original[0] if original else None,
            checks=checks,
        )

    async def _find_reply_addresses(
        self, ticket: Ticket, bounds: MessageBounds, entries: Sequence[TimelineEntry]
    ) -> tuple[str, ...]:
        """Returns the addresses for a reply to the newest message from the ticket's sender.

        Without such a message, the reply is to the first message. A bounce has no reply addresses. The ticket's own
        address is excluded, because mail to it can open another ticket.
        """
        message = await fetch_model(
            self._database,
            Message,
            "ticket_latest_from",
            ticket_id=ticket.id,
            from_address=ticket.from_address,
            limit=MAX_REPLY_SEARCH,
        ) or await self._fetch_message(ticket, bounds.first)
        if message is None or message.automatic == "bounce":
            return ()
        excerpts = (entry.excerpt for entry in entries if entry.event.id == message.id)
        excerpt = next(excerpts, None) or await self._read_excerpt(message, (), is_full=False)
        own_address = _strip_tag(ticket.address)
        author = [excerpt.original_from.address] if excerpt.original_from else []
        for addresses in ([mailbox.address for mailbox in excerpt.reply_to], [message.from_address], author):
            others = tuple(address for address in addresses if "@" in address and _strip_tag(address) != own_address)
            if others:
                return others
        return ()


def _strip_tag(address: str) -> str:
    """Returns a normalised address without its subaddress (RFC 5233)."""
    local, _, domain = normalize_address(address).rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _id_suffix(identifier: str) -> str:
    return identifier.partition("_")[2]

"""The timeline of a ticket, a stretch at a time: its messages and what people did, in the order in which they came.

Its first and its newest message are always part of the newest stretch, with their whole text; its first message of
every stretch. Contents are read one message after another and only excerpts of them are kept: the memory for a stretch
is bounded by `MAX_ENTRIES` and `MAX_EXCERPT`, whatever strangers wrote.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from router import ids
from router.contents.store import ContentStore
from router.errors import Refused
from router.mail.contents import Attachment, NamedMailbox
from router.mail.mailboxes import normalize_address
from router.mail.originator_fields import drop_if_same
from router.model import Message, Ticket, TicketEvent, TicketMessage
from router.store.database import Database, fetch_model, fetch_models

MAX_ENTRIES = 30
MAX_EXCERPT_LENGTH = 40_000  # characters of a message between the first and the newest
MAX_LINKS = 5000  # of a page of messages: the recipients that brought them
# How many of the newest messages are searched for one of the ticket's sender.
MAX_REPLY_SEARCH = 200
# Where an id goes on after its prefix: above every one, whose first character is never more than 7.
MAX_ID_SUFFIX = "z" * 26


@dataclass(frozen=True, slots=True)
class MessageExcerpt:
    """A message without what a page shows only on request. whole: the page shows all of `text`; cut: `text` is not all
    of the new text.

    reply_to, original_from: empty, None, where they do not differ from From.
    """

    message: Message
    links: tuple[TicketMessage, ...]
    text: str
    is_full: bool
    is_truncated: bool
    quoted_lines: int
    has_html: bool
    attachments: tuple[Attachment, ...]
    warnings: tuple[str, ...]
    failed_recipients: tuple[str, ...]
    reply_to: tuple[NamedMailbox, ...]
    original_from: NamedMailbox | None


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """A message or an event. left_out: how many entries directly before it are not in the stretch."""

    event: TicketEvent
    excerpt: MessageExcerpt | None
    omitted_before: int

    @property
    def position(self) -> str:
        """Names the entry within its ticket; `TimelineReader.read` takes it as `before`."""
        return _id_suffix(self.event.id)


@dataclass(frozen=True, slots=True)
class Timeline:
    """A stretch, oldest first. answer_to: the addresses that an answer to the ticket's sender goes to, maybe none."""

    ticket: Ticket
    entries: tuple[TimelineEntry, ...]
    reply_addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class MessageBounds:
    """How many messages a ticket has, and the ids of the first and the newest, `""` where there are none."""

    count: int
    first: str
    newest: str


async def fetch_message_bounds(database: Database, ticket: Ticket) -> MessageBounds:
    """Counts the messages of a ticket and finds the first and the newest."""
    row = await database.fetch_one("ticket_message_ends", ticket_id=ticket.id)
    return MessageBounds(row["messages"], row["first"] or "", row["newest"] or "") if row else MessageBounds(0, "", "")


async def fetch_links(
    database: Database, ticket: Ticket, message_ids: Sequence[str]
) -> dict[str, tuple[TicketMessage, ...]]:
    """By message, the recipients that brought it into the ticket."""
    found: dict[str, list[TicketMessage]] = {}
    asked = json.dumps(list(message_ids))
    for link in await fetch_models(
        database, TicketMessage, "ticket_recipients", ticket_id=ticket.id, ids=asked, limit=MAX_LINKS
    ):
        found.setdefault(link.message_id, []).append(link)
    return {message_id: tuple(links) for message_id, links in found.items()}


def arrival_event(ticket: Ticket, message: Message, links: Sequence[TicketMessage]) -> TicketEvent:
    """`opened` or `replied`, made of a message."""
    return TicketEvent(
        id=message.id,
        ticket_id=ticket.id,
        workspace_id=ticket.workspace_id,
        at=message.received_at,
        kind="replied" if any(link.joined_by for link in links) else "opened",
        user_id=None,
        detail=json.dumps({"messageId": message.id}),
    )


class TimelineReader:
    """Reads stretches of timelines."""

    def __init__(self, database: Database, contents: ContentStore) -> None:
        self._database = database
        self._contents = contents

    async def read(self, ticket: Ticket, before: str | None = None) -> Timeline:
        """The newest stretch, or the one before the entry at the place `before`; `Refused` for what is no place."""
        if before is not None and not ids.looks_valid(f"msg_{before}", "msg"):
            raise Refused("invalid_request", "before is not a position in this timeline", "before")
        shown = await self._fetch_section(ticket, before or MAX_ID_SUFFIX)
        jumps = {one.id for one in shown[:1]}
        ends = await fetch_message_bounds(self._database, ticket)
        for message_id in (ends.first,) if before else (ends.first, ends.newest):
            known = any(one.id == message_id for one in shown)
            if not known and (message := await self._fetch_message(ticket, message_id)) is not None:
                jumps.add(message_id)
                shown.append(message)
        links = await fetch_links(self._database, ticket, [one.id for one in shown if isinstance(one, Message)])
        entries: list[TimelineEntry] = []
        passed = 0
        for one in sorted(shown, key=lambda one: _id_suffix(one.id)):
            position = await self._count_entries_before(ticket, _id_suffix(one.id)) if one.id in jumps else passed
            excerpt = None
            if isinstance(one, Message):
                whole = one.id in (ends.first, ends.newest)
                excerpt = await self._read_excerpt(one, links.get(one.id, ()), whole=whole)
            event = one if isinstance(one, TicketEvent) else arrival_event(ticket, one, links.get(one.id, ()))
            entries.append(TimelineEntry(event, excerpt, max(0, position - passed)))
            passed = position + 1
        return Timeline(ticket, tuple(entries), await self._find_reply_addresses(ticket, ends, entries))

    async def _fetch_section(self, ticket: Ticket, end: str) -> list[Message | TicketEvent]:
        """The newest messages and events before a place, oldest first."""
        bounds = {"ticket_id": ticket.id, "limit": MAX_ENTRIES}
        messages = await fetch_models(self._database, Message, "message_page_by_ticket", before=f"msg_{end}", **bounds)
        events = await fetch_models(self._database, TicketEvent, "ticket_event_page", before=f"evt_{end}", **bounds)
        newest: list[Message | TicketEvent] = [*messages, *events]
        return sorted(newest, key=lambda one: _id_suffix(one.id))[-MAX_ENTRIES:]

    async def _fetch_message(self, ticket: Ticket, message_id: str) -> Message | None:
        return await fetch_model(
            self._database, Message, "message_by_id", id=message_id, workspace_id=ticket.workspace_id
        )

    async def _count_entries_before(self, ticket: Ticket, place: str) -> int:
        row = await self._database.fetch_one(
            "ticket_entries_before", ticket_id=ticket.id, message=f"msg_{place}", event=f"evt_{place}"
        )
        return int(row["entries"]) if row else 0

    async def _read_excerpt(self, message: Message, links: tuple[TicketMessage, ...], *, whole: bool) -> MessageExcerpt:
        contents = await self._contents.get(message.id)
        text = contents.text if whole else contents.text[:MAX_EXCERPT_LENGTH]
        original = drop_if_same(message.from_address, [contents.original_from] if contents.original_from else [])
        return MessageExcerpt(
            message=message,
            links=links,
            text=text,
            is_full=whole,
            is_truncated=len(text) < len(contents.text),
            quoted_lines=contents.quoted_lines,
            has_html=contents.html != "",
            attachments=contents.attachments,
            warnings=contents.warnings,
            failed_recipients=contents.failed_recipients,
            reply_to=drop_if_same(message.from_address, contents.reply_to),
            original_from=original[0] if original else None,
        )

    async def _find_reply_addresses(
        self, ticket: Ticket, ends: MessageBounds, entries: Sequence[TimelineEntry]
    ) -> tuple[str, ...]:
        """Reply-To, else From, else the original author, of the newest message of the ticket's sender.

        Never the ticket's own address, with a tag or not: mail to it would open another ticket. None where a mail
        server is the sender.
        """
        message = await fetch_model(
            self._database,
            Message,
            "ticket_latest_from",
            ticket_id=ticket.id,
            from_address=ticket.from_address,
            limit=MAX_REPLY_SEARCH,
        ) or await self._fetch_message(ticket, ends.first)
        if message is None or message.automatic == "bounce":
            return ()
        known = (entry.excerpt for entry in entries if entry.event.id == message.id)
        excerpt = next(known, None) or await self._read_excerpt(message, (), whole=False)
        own = _strip_tag(ticket.address)
        author = [excerpt.original_from.address] if excerpt.original_from else []
        for addresses in ([mailbox.address for mailbox in excerpt.reply_to], [message.from_address], author):
            others = tuple(address for address in addresses if "@" in address and _strip_tag(address) != own)
            if others:
                return others
        return ()


def _strip_tag(address: str) -> str:
    """An address in comparable form, without the subaddress (RFC 5233) of its local part."""
    local, _, domain = normalize_address(address).rpartition("@")
    return f"{local.partition('+')[0] or local}@{domain}"


def _id_suffix(identifier: str) -> str:
    return identifier.partition("_")[2]

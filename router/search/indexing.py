"""Writes the search index of tickets, as statements of the transaction that stores the text of a message."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from router.mail.contents import Attachment, Contents
from router.search import terms
from router.store.database import Row, Statement, StatementGenerator


@dataclass(frozen=True, slots=True)
class MessageWords:
    """A message, and the words of its text (`terms.message_words`)."""

    message_id: str
    words: Sequence[str]


def index(messages: Sequence[MessageWords]) -> StatementGenerator[None]:
    """Adds the words of each message, and those of its header, to the tickets that contain the message.

    Omits replies that are still queued; see `index_stored`.
    """
    if not messages:
        return
    yield Statement("search_lock", [{}])
    rows = yield Statement("search_tickets_by_message", [{"message_id": each.message_id} for each in messages])
    words_by_message = {each.message_id: each.words for each in messages}
    changed: dict[str, dict[str, object]] = {}
    terms_by_ticket: dict[str, list[str]] = {}  # several of the messages can belong to one ticket
    for row in rows:
        ticket_id = row["ticket_id"]
        header = terms.text_words(f"{row['from_name']} {row['from_address']} {row['subject']}")
        existing = terms_by_ticket.get(ticket_id)
        terms_by_ticket[ticket_id] = terms.ticket_terms(
            row["workspace_id"],
            row["number"],
            row["alias_id"],
            is_spam=bool(row["spam"]),
            existing=row["words"].split() if existing is None else existing,
            added=[*header, *words_by_message[row["message_id"]]],
        )
        changed[ticket_id] = {
            "ticket_id": ticket_id,
            "workspace_id": row["workspace_id"],
            "index_position": terms.index_position(ticket_id),
            "words": " ".join(terms_by_ticket[ticket_id]),
        }
    yield Statement("search_upsert", list(changed.values()))


def index_stored(message_ids: Sequence[str]) -> StatementGenerator[None]:
    """Adds the words of messages whose contents are stored. The others are indexed when their contents are stored."""
    rows = yield Statement("contents_by_message", [{"message_id": each} for each in message_ids])
    yield from index([MessageWords(row["message_id"], terms.message_words(_contents(row))) for row in rows])


def _contents(row: Row) -> Contents:
    """Returns what is indexed of stored contents."""
    attachments = tuple(Attachment(**attachment) for attachment in json.loads(row["attachments"]))
    return Contents(row["text"], row["quoted"], "", attachments, ())

"""Decides which ticket a message joins. Pure.

A message joins the ticket of an earlier message at the same alias under two conditions: it refers to the earlier
message, and its author is a participant of the ticket. The participant check separates strangers who reply to the same
newsletter. The subject is never considered: a wrong join would show one customer's text to another.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from router.mail.mailboxes import normalize_address


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier message at the same alias, and its ticket.

    `participants` are normalised addresses. They may be incomplete, but include the author of the joining message if
    that author is a participant.
    """

    ticket_id: str
    rfc_message_id: str
    participants: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class JoinedTicket:
    """The ticket that a message joins, and the Message-ID that led to it."""

    ticket_id: str
    by: str


def choose_ticket(reference_ids: Iterable[str], author: str, candidates: Sequence[Candidate]) -> JoinedTicket | None:
    """Returns the ticket that a message joins, or None if the message opens a new ticket.

    Args:
        reference_ids: The Message-IDs that the message refers to, newest first.
        author: The author of the message, or else the reverse-path.
        candidates: Earlier messages at the same alias.
    """
    sender = normalize_address(author)
    if "@" not in sender or not candidates:
        return None
    by_id: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_id.setdefault(candidate.rfc_message_id, []).append(candidate)
    for reference in reference_ids:
        for candidate in by_id.get(reference, ()):
            if reference and sender in candidate.participants:
                return JoinedTicket(candidate.ticket_id, reference)
    return None


def is_persons_reply(joined_by: str, relayed_reply_ids: Container[str]) -> bool:
    """Whether a message was written by a person, and is marked automatic only because a list or a rule forwarded it.

    `joined_by` is the Message-ID by which the message joined a ticket, or `""`.
    """
    return joined_by != "" and joined_by in relayed_reply_ids


def should_reopen(automatic: str) -> bool:
    """Whether a message reopens the ticket that it joins."""
    return automatic == ""

"""Decides which ticket a message joins. Pure: the caller provides the candidates.

A message joins the ticket of an earlier message at the same alias, if it refers to that message and its author is a
participant of the ticket. The newest such reference decides (In-Reply-To, then References from the end). The
participant check separates strangers who reply to the same newsletter or copy one In-Reply-To; the alias separates
teams. The subject is never considered. A wrong join would show one customer's text to another; a missed join only
creates a second ticket.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from router.mail.mailboxes import normalize_address


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier message at the same alias, and its ticket.

    `participants` are normalised addresses. They may be incomplete, but contain the author of the new message if the
    author takes part in the ticket.
    """

    ticket_id: str
    rfc_message_id: str
    participants: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class JoinedTicket:
    """The ticket that a message joins, and the Message-ID that led to it. The Message-ID is stored as the reason."""

    ticket_id: str
    by: str


def choose_ticket(reference_ids: Iterable[str], author: str, candidates: Sequence[Candidate]) -> JoinedTicket | None:
    """Returns the ticket that a message joins, or None if the message opens a new ticket.

    Args:
        reference_ids: The Message-IDs that the message refers to, newest first, as in `HeaderFacts.reference_ids`.
        author: The author of the message; the reverse-path if no header names one.
        candidates: Earlier messages at the same alias. If a Message-ID is in several tickets, the first ticket in which
            the author participates is chosen.
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
    """Whether a person wrote a message that is marked automatic only because a list or a rule forwarded it.

    Args:
        joined_by: The Message-ID by which the message joined a ticket; `""` if it joined none.
    """
    return joined_by != "" and joined_by in relayed_reply_ids


def should_reopen(automatic: str) -> bool:
    """Whether a message reopens the ticket that it joins: only if a person wrote it."""
    return automatic == ""

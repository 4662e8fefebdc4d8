"""Decides which ticket a message joins. Pure.

A message joins the ticket of an earlier message at the same alias under two conditions: it refers to the earlier
message, and its author is a participant of the ticket. The participant check separates strangers who reply to the same
newsletter. The subject is never considered: a wrong join would show one customer's text to another.

An identity of our own mail needs no participant: the message answers a mail of ours, which its author has received from
us or from a recipient. Such a new sender is marked, because the identity finds a ticket and proves nothing.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from router.mail.mailboxes import normalize_address


@dataclass(frozen=True, slots=True)
class Candidate:
    """A ticket at the same alias, and what leads to it: the Message-ID of an earlier message, or a token.

    `participants` are normalised addresses. They may be incomplete, but include the author of the joining message if
    that author is a participant. `is_own`: it is an identity of our own mail.
    """

    ticket_id: str
    identity: str
    participants: AbstractSet[str]
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class JoinedTicket:
    """The ticket that a message joins, and the identity that led to it.

    `new_sender`: the author is no participant of the ticket.
    """

    ticket_id: str
    by: str
    new_sender: bool = False


def choose_ticket(identities: Iterable[str], author: str, candidates: Sequence[Candidate]) -> JoinedTicket | None:
    """Returns the ticket that a message joins, or None if the message opens a new ticket.

    Args:
        identities: The tokens and Message-IDs that the message refers to. The first one with a ticket decides.
        author: The author of the message, or else the reverse-path.
        candidates: Tickets with one of the identities. If several have the same one, those of a participant come first.
    """
    if not candidates:
        return None
    sender = normalize_address(author)
    by_identity: dict[str, list[Candidate]] = {}
    for candidate in candidates:
        by_identity.setdefault(candidate.identity, []).append(candidate)
    for identity in identities:
        found = by_identity.get(identity, ())
        for candidate in found:
            if identity and "@" in sender and sender in candidate.participants:
                return JoinedTicket(candidate.ticket_id, identity)
        for candidate in found:
            if candidate.is_own:
                return JoinedTicket(candidate.ticket_id, identity, new_sender=True)
    return None


def is_persons_reply(joined_by: str, relayed_reply_ids: Container[str]) -> bool:
    """Whether a message was written by a person, and is marked automatic only because a list or a rule forwarded it.

    `joined_by` is the Message-ID by which the message joined a ticket, or `""`.
    """
    return joined_by != "" and joined_by in relayed_reply_ids


def should_reopen(automatic: str) -> bool:
    """Whether a message reopens the ticket that it joins."""
    return automatic == ""

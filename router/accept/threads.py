"""Which ticket a message joins (SPEC.md section 7). Pure: the caller looks up the candidates, this decides.

A message joins the ticket of the newest message it refers to (In-Reply-To, then References from the end), among
those the caller found at the same alias, if its sender is a participant of that ticket. The participant check keeps
strangers apart who answer the same newsletter or copy one In-Reply-To; the same alias keeps two teams apart. A
subject never joins, and a new one never splits. Nothing else is glued on: a wrong join shows one customer's words to
another, while a missed one is only a second ticket.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from router.mail.mailboxes import normalize_address


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier message at the same alias that one of the references may name, with the ticket it is in.

    participants: addresses of the whole ticket, in the form of `HeaderFacts.participants`; the sender's at least.
    """

    ticket_id: str
    rfc_message_id: str
    participants: AbstractSet[str]


@dataclass(frozen=True, slots=True)
class JoinedTicket:
    """The ticket that is joined, and the Message-ID it was joined by: it is kept with the ticket, as the reason."""

    ticket_id: str
    by: str


def choose_ticket(reference_ids: Iterable[str], author: str, candidates: Sequence[Candidate]) -> JoinedTicket | None:
    """The ticket that a message joins, None if it opens one.

    reference_ids: newest first, as `HeaderFacts.reference_ids`. author: who wrote the mail, the reverse-path where no
    header says it. candidates: only those of the same alias; where one Message-ID is in several tickets (it is
    unique by promise of its sender only), the first whose participant the sender is.
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
    """Whether a person wrote a message in spite of its automatic mark: a list or a rule handed a reply on.

    joined_by: the Message-ID that a ticket was joined by, `""` if none was. relayed_reply_ids: as
    `HeaderFacts.relayed_reply_ids`.
    """
    return joined_by != "" and joined_by in relayed_reply_ids


def should_reopen(automatic: str) -> bool:
    """Whether a message that joins sets its ticket open again: a person's mail does, no other."""
    return automatic == ""

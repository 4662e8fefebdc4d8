"""Values of the accept transaction, and the limits that bound the cost of one message.

A message can have many recipients, name many references and list many participants. The work of the writer grows
with aliases times references, and with aliases times participants, so both products are limited.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.model import Message, Micros
from router.routing.route import Target

# Maximum number of Message-ID lookups for one message: 100 references at each of up to 10 aliases, fewer (at least one)
# at more aliases. A lookup takes about 20 microseconds on SQLite, plus the time for the tickets that it finds.
MAX_LOOKUPS = 1000
# Maximum number of tickets that one lookup of a Message-ID at an alias returns, newest first. A legitimate
# Message-ID is in one ticket; more than a few tickets indicate abuse.
MAX_TICKETS = 20
# Maximum number of tickets that are considered for one message: 20 for each of up to 50 lookups, fewer (at least one)
# for more lookups. A ticket costs two index lookups: 10 microseconds on SQLite.
MAX_CANDIDATES = 1000
# Maximum number of participant rows written for one message: 200 at each of up to 10 aliases, fewer (at least one) at
# more aliases. Writing a row takes 2 microseconds.
MAX_PARTICIPANT_ROWS = 2000
# The weights of an alias, a lookup and a participant row: the number of content bytes that the database writes in the
# same time. Limiting the weight of a group of messages therefore limits the duration of its transaction. `ALIAS_WEIGHT`
# does not apply to the first alias of a message.
ALIAS_WEIGHT, LOOKUP_WEIGHT, PARTICIPANT_WEIGHT = 4096, 512, 64


@dataclass(frozen=True, slots=True)
class WorkspaceShare:
    """The part of a message for one workspace: a message row of its own, and the accepted recipients by alias."""

    message: Message
    by_alias: tuple[tuple[Target, ...], ...]


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One message, ready to be written.

    Attributes:
        fingerprint: `""` for a message that is never treated as a repeat.
        reference_ids: The Message-IDs that the message refers to, newest first; shortened by `limit_per_alias`.
        participants: As in `HeaderFacts`; shortened by `limit_per_alias`.
        author: As in `HeaderFacts`; the normalised reverse-path if the header has no author.
        relayed_reply_ids: As in `HeaderFacts`; `()` for a null reverse-path.
        horizon: Fingerprints accepted before this time do not count as repeats.
    """

    shares: tuple[WorkspaceShare, ...]
    content: bytes
    fingerprint: str
    reference_ids: tuple[str, ...]
    participants: tuple[str, ...]
    author: str
    relayed_reply_ids: tuple[str, ...]
    expires_at: Micros
    horizon: Micros

    @property
    def aliases(self) -> int:
        return sum(len(share.by_alias) for share in self.shares)

    @property
    def max_tickets_per_lookup(self) -> int:
        lookups = max(1, self.aliases * len(self.reference_ids))
        return max(1, min(MAX_TICKETS, MAX_CANDIDATES // lookups))

    @property
    def weight(self) -> int:
        """The size of the content plus the other database work, expressed in bytes."""
        aliases = self.aliases
        work = LOOKUP_WEIGHT * len(self.reference_ids) + PARTICIPANT_WEIGHT * len(self.participants)
        return len(self.content) + ALIAS_WEIGHT * (aliases - 1) + work * aliases


def limit_per_alias(values: tuple[str, ...], aliases: int, maximum: int) -> tuple[str, ...]:
    """Shortens `values` so that their number times `aliases` is at most `maximum`, but keeps at least one value."""
    return values[: max(1, maximum // max(1, aliases))]


@dataclass(slots=True)
class AcceptEntry:
    """A message at one of its aliases, while the transaction assigns it to a ticket.

    `fingerprint_key` (alias and fingerprint) identifies repeats.
    """

    mail: IncomingMail
    message: Message
    targets: tuple[Target, ...]
    target: Target
    fingerprint_key: tuple[str, str]
    ticket_id: str = ""
    joined_by: str = ""

    @property
    def thread_key(self) -> str:
        """Identifies the alias of a conversation.

        A postmaster address without an alias is identified by workspace and address, because the address can move to
        another workspace.
        """
        return self.target.alias_id or f"{self.target.workspace_id} {self.target.address}"

"""The values that the accept's transaction works on, and the bounds that keep the cost of one mail constant.

A mail may be addressed to many aliases, name many references and list many participants. The product of these numbers
is what the one writer has to do, so it is bounded here, whatever each of them is.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.model import Message, Micros
from router.routing.route import Target

# Lookups of a Message-ID at an alias for one mail: 100 references at up to 10 aliases, fewer at more aliases.
# A lookup takes some 20 microseconds on SQLite, beside those of the tickets that it finds.
MAX_LOOKUPS = 1000
# Tickets of one Message-ID at one alias that are considered, the newest. An honest Message-ID is in one ticket; more
# than a few are in the database of somebody who fills it on purpose.
MAX_TICKETS = 20
# Tickets that one mail considers in all: 20 of each Message-ID for up to 50 lookups, fewer for more, one for 1000. Each
# is two probes of an index: 10 microseconds on SQLite.
MAX_CANDIDATES = 1000
# Participants written for one mail: 200 at up to 10 aliases, fewer at more aliases. A row takes 2 microseconds.
MAX_PARTICIPANT_ROWS = 2000
# What a group weighs these as, in bytes: about what the database writes in the same time. So the time that a group
# takes is bounded as its size is. A mail's first alias weighs nothing, like a small mail itself.
ALIAS_WEIGHT, LOOKUP_WEIGHT, PARTICIPANT_WEIGHT = 4096, 512, 64


@dataclass(frozen=True, slots=True)
class WorkspaceShare:
    """What one workspace gets of a mail: its own message and the accepted recipients, one group for each alias."""

    message: Message
    by_alias: tuple[tuple[Target, ...], ...]


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One mail, ready to be written. `fingerprint` is `""` for a mail that is never taken for a repeat.

    reference_ids: newest first. participants: in their comparable form, the sender first. Both are cut by `bounded`.
    author, relayed_reply_ids: as in `HeaderFacts`; the author of a mail without a From is its reverse-path.
    horizon: marks from before it are too old to count as repeats.
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
        """How many tickets of a Message-ID at an alias are considered for this mail: at least one."""
        lookups = max(1, self.aliases * len(self.reference_ids))
        return max(1, min(MAX_TICKETS, MAX_CANDIDATES // lookups))

    @property
    def weight(self) -> int:
        """Its weight in a group: its bytes, and bytes for the other work that it is for the database."""
        aliases = self.aliases
        work = LOOKUP_WEIGHT * len(self.reference_ids) + PARTICIPANT_WEIGHT * len(self.participants)
        return len(self.content) + ALIAS_WEIGHT * (aliases - 1) + work * aliases


def limit_per_alias(values: tuple[str, ...], aliases: int, maximum: int) -> tuple[str, ...]:
    """The first values, as many as stay within `maximum` when each counts once for each alias; at least one."""
    return values[: max(1, maximum // max(1, aliases))]


@dataclass(slots=True)
class AliasEntry:
    """One alias of one mail on its way into a ticket.

    mark: what makes it a repeat, the same alias and the same fingerprint.
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
        """Names the alias that a conversation belongs to. An address without an alias may change its workspace."""
        return self.target.alias_id or f"{self.target.workspace_id} {self.target.address}"

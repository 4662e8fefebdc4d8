"""The input of the accept transaction, and the limits that bound the cost of one message.

The work of the writer grows with two products: aliases times references, and aliases times participants.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.accept.identities import TicketNumber
from router.checks import policy
from router.mail.returned_ids import NO_IDS, ReturnedIds
from router.model import Message, Micros
from router.routing.route import Target

# Maximum number of Message-ID lookups for one message.
MAX_LOOKUPS = 1000
# Maximum number of tickets considered for one Message-ID at an alias. A legitimate Message-ID is in one ticket.
MAX_TICKETS = 20
# Maximum number of tickets considered for one message.
MAX_CANDIDATES = 1000
# Maximum number of participant rows written for one message.
MAX_PARTICIPANT_ROWS = 2000
# The estimated costs of an alias, a lookup and a participant row, each as the number of content bytes that the database
# writes in the same time. A limit on the weight of a group therefore limits the duration of its transaction.
ALIAS_WEIGHT, LOOKUP_WEIGHT, PARTICIPANT_WEIGHT = 4096, 512, 64


@dataclass(frozen=True, slots=True)
class CheckWaits:
    """How long the deliveries of a new message wait for the checks of its sender, in microseconds.

    Attributes:
        short: Where the checks only add to a post.
        full: Where they can hold it as spam, and for suspicious messages.
        has_spam_filter: Whether a spam filter is one of the checks.
    """

    short: Micros
    full: Micros
    has_spam_filter: bool

    def choose(self, workspace_policy: str, alias_policy: str | None, *, is_suspicious: bool) -> Micros:
        """Returns the time for the stored policies of a workspace and of an alias."""
        in_effect = policy.merge(workspace_policy, alias_policy or "{}")
        can_be_held = is_suspicious or in_effect.holds_spam(has_spam_filter=self.has_spam_filter)
        return self.full if can_be_held else self.short


@dataclass(frozen=True, slots=True)
class WorkspaceShare:
    """The message row for one workspace, and the targets in this workspace, grouped by alias.

    `is_suspicious`: From, or else MAIL FROM, names a domain of the workspace, or the sender is blocked, so the
    deliveries wait for the checks as long as those that can be held.

    Attributes:
        numbers: The tickets that the message names by a token.
        returned_numbers: Those that a bounce returns in the header of our message.
    """

    message: Message
    by_alias: tuple[tuple[Target, ...], ...]
    is_suspicious: bool = False
    numbers: tuple[TicketNumber, ...] = ()
    returned_numbers: tuple[int, ...] = ()

    @property
    def has_tokens(self) -> bool:
        """Whether a recipient is an envelope sender of our replies. The first one is, and all join its ticket."""
        return self.by_alias[0][0].ticket is not None


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """One message, ready to be written.

    Attributes:
        aliases: The number of aliases in all shares.
        fingerprint: `""` for a message that is never treated as a repeat.
        reference_ids: The Message-IDs that the message refers to, newest first.
        horizon: A message accepted before this time does not make this one a repeat.
        check_waits: None if senders are not checked.
        returned: The identities of our replies in the content of a bounce.
    """

    shares: tuple[WorkspaceShare, ...]
    aliases: int
    content: bytes
    fingerprint: str
    reference_ids: tuple[str, ...]
    participants: tuple[str, ...]
    author: str
    relayed_reply_ids: tuple[str, ...]
    expires_at: Micros
    horizon: Micros
    check_waits: CheckWaits | None = None
    returned: ReturnedIds = NO_IDS

    @property
    def max_tickets_per_lookup(self) -> int:
        lookups = max(1, self.aliases * len(self.reference_ids))
        return max(1, min(MAX_TICKETS, MAX_CANDIDATES // lookups))

    @property
    def weight(self) -> int:
        """The database work for the message, as the number of content bytes that take the same time to write."""
        work = LOOKUP_WEIGHT * len(self.reference_ids) + PARTICIPANT_WEIGHT * len(self.participants)
        return len(self.content) + ALIAS_WEIGHT * (self.aliases - 1) + work * self.aliases


def limit_per_alias(values: tuple[str, ...], aliases: int, maximum: int) -> tuple[str, ...]:
    """Shortens `values` so that `aliases * len(values)` is at most `maximum`, but always keeps the first value."""
    return values[: max(1, maximum // max(1, aliases))]


@dataclass(frozen=True, slots=True)
class Bounced:
    """The ticket that a bounce joins; `reply_id` and `address_key` (the recipient) are `""` if they are not known.

    `by` is the address or id that led to the ticket. `is_counted`: the bounce counts towards the limit of the reply.
    """

    ticket_id: str
    by: str
    reply_id: str = ""
    address_key: str = ""
    is_counted: bool = False


@dataclass(slots=True)
class AcceptEntry:
    """A message at one of its aliases, while the transaction assigns it to a ticket.

    Attributes:
        sequence: The number of the message among the events of the ticket.
        joins_spam: The ticket that it joins is held as spam.
        new_sender: The author is no participant of the ticket that it joins by an identity of our own mail.
        awaits_author: A user may have sent it as our answer. The check of its sender decides, and until then the
            ticket is not reopened.
        bounced: What the message reports about, if it is a bounce of our own mail.
    """

    mail: IncomingMail
    share: WorkspaceShare
    message: Message
    targets: tuple[Target, ...]
    target: Target
    fingerprint_key: tuple[str, str]
    ticket_id: str = ""
    joined_by: str = ""
    sequence: int = 1
    joins_spam: bool = False
    new_sender: bool = False
    awaits_author: bool = False
    bounced: Bounced | None = None

    @property
    def is_bounce(self) -> bool:
        return self.bounced is not None

    @property
    def thread_key(self) -> str:
        """Identifies the alias of a conversation.

        A postmaster address without an alias can move to another workspace, so its key contains the workspace.
        """
        return self.target.alias_id or f"{self.target.workspace_id} {self.target.address}"

"""Replies as they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from router.model import Attempt, Micros, ReplyRecipient, TicketReply


@dataclass(frozen=True, slots=True)
class ReplyAttempt:
    """An attempt to submit a reply for a recipient. `attempt.status` is the SMTP reply code."""

    address: str
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class ReplyView:
    """A reply with its recipients.

    Attributes:
        author_name: The name of its author.
        attempts: The newest attempts, oldest first; empty in lists.
        next_attempt_at: When the next attempt is due; None if none is planned.
    """

    reply: TicketReply
    recipients: tuple[ReplyRecipient, ...]
    ticket_number: int
    subject: str
    author_name: str
    attempts: tuple[ReplyAttempt, ...] = ()
    next_attempt_at: Micros | None = None

    @property
    def to(self) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.field == "to")

    @property
    def cc(self) -> tuple[str, ...]:
        return tuple(recipient.address for recipient in self.recipients if recipient.field == "cc")

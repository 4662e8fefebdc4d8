"""Interfaces between the servers and the core."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from router.mail.address import Mailbox
from router.routing.envelope import Envelope
from router.routing.route import Refusal, Target

# The end of the SMTP greeting, by which a test message recognises a server of this program.
GREETING_SUFFIX = "ESMTP Email Router"


class RecipientResolver(Protocol):
    """Resolves recipients at RCPT."""

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target | Refusal:
        """Returns the target of a recipient, or why it is refused.

        `reverse_path` and `peer` are compared with the blocked senders of the target's workspace. Raises `Unavailable`.
        """
        ...


class SenderPrefetch(Protocol):
    """Starts the DNS questions about a sender before its message arrives."""

    def prefetch(self, *, peer: str, helo: str, reverse_path: str) -> None:
        """Returns at once, and never raises. `reverse_path` is `""` for a null reverse-path."""
        ...


class NullPrefetch:
    """Asks nothing: the questions are asked when the message is checked."""

    def prefetch(self, *, peer: str, helo: str, reverse_path: str) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """The result of accepting a message, for the `250` reply.

    For a duplicate, `message_id` is the id of the earlier message.
    """

    message_id: str
    is_duplicate: bool


class Acceptor(Protocol):
    """Accepts complete messages."""

    async def accept(self, envelope: Envelope, content: bytes) -> AcceptResult:
        """Stores the message durably, and returns after the commit.

        A client that disconnects must not cancel the call. `content` is the message without dot-stuffing and without
        added trace headers.

        Raises:
            StorageFull: SMTP replies with 452.
            Unavailable: Any other temporary failure; SMTP replies with 451.
        """
        ...


class Waker(Protocol):
    """Notifies delivery processes of due deliveries and replies, of messages to check, and of bounces to read."""

    def wake(self, integration_ids: Iterable[str]) -> None: ...

    def wake_checks(self) -> None: ...

    def wake_submissions(self) -> None: ...

    def wake_bounces(self) -> None: ...


class NullWaker:
    """Does not notify: delivery processes find the work when they poll."""

    def wake(self, integration_ids: Iterable[str]) -> None:
        """Does nothing."""

    def wake_checks(self) -> None:
        """Does nothing."""

    def wake_submissions(self) -> None:
        """Does nothing."""

    def wake_bounces(self) -> None:
        """Does nothing."""

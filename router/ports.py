"""The interfaces between the rooms: what a door may ask of the core, and what the core asks of the outside.

Each has one real implementation, named in its docstring, and is assembled in `emailrouter.assembly` alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from router.mail.address import Mailbox
from router.routing.envelope import Envelope
from router.routing.route import Refusal, Target


class RecipientResolver(Protocol):
    """Who asks: the SMTP session at RCPT. Who answers: `router.routing.routing_cache.Directory`."""

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target | Refusal:
        """The target of a recipient, or why there is none. Raises `Unavailable` when the database is away.

        reverse_path, peer: who sends, for the workspace's own blocked senders; `""` is nobody's.
        """
        ...


@dataclass(frozen=True, slots=True)
class AcceptResult:
    """What the commit returned: `message_id` is the first one's, and all that a `250` may be made of.

    repeat: every alias had this mail already; nothing new was written.
    """

    message_id: str
    is_duplicate: bool


class Acceptor(Protocol):
    """Who asks: the SMTP session after the final dot. Who answers: `router.accept.Accept`."""

    async def accept(self, envelope: Envelope, content: bytes) -> AcceptResult:
        """Write the mail durably; returns after the commit. Raises `Unavailable` (or `StorageFull`): say 451 (452).

        content: the octets after dot-unstuffing, exactly as they came, without our trace headers. The caller runs
        it shielded: a client that hangs up does not cancel it.
        """
        ...


class Waker(Protocol):
    """Tells the deliverer, here and in other processes, that these integrations have something due now."""

    def wake(self, integration_ids: Iterable[str]) -> None: ...


class NullWaker:
    """The `Wake` where no signal can reach the deliverer: it finds the work when it polls."""

    def wake(self, integration_ids: Iterable[str]) -> None:
        """Does nothing."""

"""Marks tickets as spam and releases them, on behalf of users. The mark changes neither status, assignee nor reads.

Marking and releasing undo each other, except that messages that were posted meanwhile stay posted.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from router.admin import ticket_events
from router.admin.fetch import fetch_by_id, find_ticket_id
from router.admin.tickets.change_writer import BATCH_TICKETS, lock_tickets, require_few
from router.clock import Clock
from router.enumerations import SPAM_BLOCK, SpamBlock
from router.errors import Refused, not_found_error
from router.model import Actor, Micros, Ticket, User
from router.ports import Waker
from router.store import batches
from router.store.database import Database, QueryExecutor, fetch_model, retry_on_conflict, run_statements
from router.store.spam_marks import SpamActor, mark_spam, release_spam

# Blocks a sender in a transaction (`BlockedSenderService.block_within`).
SenderBlocker = Callable[[QueryExecutor, Actor, str, Micros], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SpamResult:
    """The ids of the tickets whose mark changed, and the number of tickets that do not exist."""

    changed: tuple[str, ...]
    missing: int


class SpamService:
    """Marks tickets of the actor's workspace. `max_age` is the setting `[delivery] max_age`.

    `wake` is notified of integrations with released deliveries.
    """

    def __init__(
        self, database: Database, clock: Clock, wake: Waker, block_sender: SenderBlocker, *, max_age: Micros
    ) -> None:
        self._database = database
        self._block_sender = block_sender
        self._clock = clock
        self._wake = wake
        self._max_age = max_age

    async def mark(self, actor: Actor, ticket_id: str, *, spam: bool, block: str | None = None) -> Ticket:
        """Marks a ticket as spam and holds its deliveries, or releases both. Nothing changes if it is so already.

        Args:
            block: A value of `SPAM_BLOCK`: also blocks the sender of the ticket. None blocks nothing.

        Raises:
            Refused: `forbidden` if an agent blocks a sender, `invalid_request` if the ticket has no sender to block.
        """
        blocked = None if block is None else SPAM_BLOCK.parse(block)
        if blocked is not None and not spam:
            raise Refused("invalid_request", "block is possible only together with spam: true", "block")
        if blocked is not None and actor.role != "admin":
            raise Refused("forbidden", "Only admins can block a sender: mark the ticket as spam without blocking")
        found = await find_ticket_id(self._database, actor, ticket_id)
        result = await self._mark_batch(actor, [found], spam=spam, block=blocked)
        if result.missing:
            raise not_found_error("Ticket")
        return await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", found)

    async def mark_many(self, actor: Actor, ticket_ids: Iterable[str], *, spam: bool) -> SpamResult:
        """Marks or releases up to `change_writer.MAX_BULK` tickets, in short transactions."""
        wanted = require_few(ticket_ids, "tickets")
        changed: list[str] = []
        missing = 0
        for start in range(0, len(wanted), BATCH_TICKETS):
            if start:
                await batches.pause()
            result = await self._mark_batch(actor, wanted[start : start + BATCH_TICKETS], spam=spam)
            changed += result.changed
            missing += result.missing
        return SpamResult(tuple(changed), missing)

    @retry_on_conflict
    async def _mark_batch(
        self, actor: Actor, ticket_ids: Sequence[str], *, spam: bool, block: SpamBlock | None = None
    ) -> SpamResult:
        now = self._clock.now()
        released: list[str] = []
        async with self._database.transaction() as transaction:
            tickets = await lock_tickets(transaction, actor, ticket_ids)
            changed = [ticket.id for ticket in tickets.values() if bool(ticket.spam) is not spam]
            if block is not None:
                for ticket in tickets.values():
                    await self._block_sender(transaction, actor, _blocked_entry(ticket, block), now)
            actors = dict.fromkeys(changed, SpamActor(*ticket_events.identify(actor), actor.user_id))
            if spam:
                reason = await _reason(transaction, actor) if changed else ""
                await run_statements(transaction, mark_spam(dict.fromkeys(changed, reason), actors, now))
            else:
                expires_at = now + self._max_age
                released = await run_statements(transaction, release_spam(changed, actors, now, expires_at=expires_at))
        self._wake.wake(released)
        return SpamResult(tuple(changed), len(ticket_ids) - len(tickets))


async def _reason(transaction: QueryExecutor, actor: Actor) -> str:
    if actor.user_id is None:
        return "Marked as spam by the operator"
    user = await fetch_model(transaction, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id)
    if user is None:
        raise Refused("unauthorized", "Your user account was removed")
    return f"Marked as spam by {user.name or user.email}"


def _blocked_entry(ticket: Ticket, block: SpamBlock) -> str:
    domain = ticket.from_address.rpartition("@")[2]
    if not domain or domain == ticket.from_address:
        raise Refused("invalid_request", f"Ticket #{ticket.number} has no sender address to block", "block")
    return ticket.from_address if block == "address" else f"@{domain}"

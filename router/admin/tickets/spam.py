"""Marks tickets as spam and releases them, on behalf of users. The mark changes neither status, assignee nor reads.

Marking and releasing undo each other, except that messages that were posted meanwhile stay posted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from router.admin import ticket_events
from router.admin.fetch import fetch_by_id, find_ticket_id
from router.admin.tickets.change_writer import BATCH_TICKETS, lock_tickets, require_few
from router.admin.validation import validate_line
from router.clock import Clock
from router.enumerations import SPAM_BLOCK, SpamBlock
from router.errors import Refused, not_found_error
from router.model import Actor, Micros, Ticket, User
from router.ports import Waker
from router.routing.senders import MAX_ENTRY_LENGTH, normalize_new_entry
from router.store import batches
from router.store.database import Database, QueryExecutor, fetch_model, retry_on_conflict, run_statements
from router.store.spam_marks import SpamActor, mark_spam, release_spam

# Blocks senders in a transaction, and returns those that were not blocked (`BlockedSenderService.block_within`).
SenderBlocker = Callable[[QueryExecutor, Actor, Sequence[str], Micros], Awaitable[Collection[str]]]


@dataclass(frozen=True, slots=True)
class SpamResult:
    """What happened to tickets, and to their senders if these are blocked.

    Attributes:
        changed: The ids of the tickets whose mark changed.
        missing: The number of tickets that do not exist.
        blocked, already_blocked: The senders that are blocked now, and those that were blocked before.
        without_sender: The number of tickets without a sender that can be blocked.
    """

    changed: tuple[str, ...] = ()
    missing: int = 0
    blocked: tuple[str, ...] = ()
    already_blocked: tuple[str, ...] = ()
    without_sender: int = 0

    def plus(self, other: SpamResult) -> SpamResult:
        """Returns the result of two changes, of which `other` is the later one."""
        blocked = (*self.blocked, *other.blocked)
        known = dict.fromkeys((*self.already_blocked, *other.already_blocked))
        return SpamResult(
            (*self.changed, *other.changed),
            self.missing + other.missing,
            blocked,
            tuple(sender for sender in known if sender not in blocked),
            self.without_sender + other.without_sender,
        )


class SpamService:
    """Marks tickets of the actor's workspace. `max_age` is the setting `[delivery] max_age`.

    `wake` is notified of integrations with released deliveries.
    """

    def __init__(
        self, database: Database, clock: Clock, wake: Waker, block_senders: SenderBlocker, *, max_age: Micros
    ) -> None:
        self._database = database
        self._block_senders = block_senders
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
        blocked = _parse_block(actor, block, spam=spam)
        found = await find_ticket_id(self._database, actor, ticket_id)
        if blocked is not None:
            ticket = await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", found)
            if _blocked_entry(ticket, blocked) is None:
                raise Refused("invalid_request", f"Ticket #{ticket.number} has no sender {blocked} to block", "block")
        result = await self._mark_batch(actor, [found], spam=spam, block=blocked)
        if result.missing:
            raise not_found_error("Ticket")
        return await fetch_by_id(self._database, actor, Ticket, "ticket_by_id", found)

    async def mark_many(
        self, actor: Actor, ticket_ids: Iterable[str], *, spam: bool, block: str | None = None
    ) -> SpamResult:
        """Marks or releases up to `change_writer.MAX_BULK` tickets, in short transactions.

        Args:
            block: As for `mark`, but tickets without a sender to block are only marked.

        Raises:
            Refused: `forbidden` if an agent blocks senders; `conflict` if the list of blocked senders is full, and
                earlier transactions stay.
        """
        blocked = _parse_block(actor, block, spam=spam)
        wanted = require_few(ticket_ids, "tickets")
        result = SpamResult()
        for start in range(0, len(wanted), BATCH_TICKETS):
            if start:
                await batches.pause()
            batch = wanted[start : start + BATCH_TICKETS]
            result = result.plus(await self._mark_batch(actor, batch, spam=spam, block=blocked))
        return result

    @retry_on_conflict
    async def _mark_batch(
        self, actor: Actor, ticket_ids: Sequence[str], *, spam: bool, block: SpamBlock | None
    ) -> SpamResult:
        now = self._clock.now()
        released: list[str] = []
        senders: dict[str | None, int] = {}
        added: Collection[str] = ()
        async with self._database.transaction() as transaction:
            tickets = await lock_tickets(transaction, actor, ticket_ids)
            changed = [ticket.id for ticket in tickets.values() if bool(ticket.spam) is not spam]
            if block is not None:
                senders = Counter(_blocked_entry(ticket, block) for ticket in tickets.values())
                entries = [sender for sender in senders if sender is not None]
                added = await self._block_senders(transaction, actor, entries, now)
            actors = dict.fromkeys(changed, SpamActor(*ticket_events.identify(actor), actor.user_id))
            if spam:
                reason = await _reason(transaction, actor) if changed else ""
                await run_statements(transaction, mark_spam(dict.fromkeys(changed, reason), actors, now))
            else:
                expires_at = now + self._max_age
                released = await run_statements(transaction, release_spam(changed, actors, now, expires_at=expires_at))
        self._wake.wake(released)
        return SpamResult(
            tuple(changed),
            len(ticket_ids) - len(tickets),
            tuple(added),
            tuple(sender for sender in senders if sender is not None and sender not in added),
            senders.get(None, 0),
        )


async def _reason(transaction: QueryExecutor, actor: Actor) -> str:
    if actor.user_id is None:
        return "Marked as spam by the operator"
    user = await fetch_model(transaction, User, "user_by_id", id=actor.user_id, workspace_id=actor.workspace_id)
    if user is None:
        raise Refused("unauthorized", "Your user account was removed")
    return f"Marked as spam by {user.name or user.email}"


def _parse_block(actor: Actor, block: str | None, *, spam: bool) -> SpamBlock | None:
    parsed = None if block is None else SPAM_BLOCK.parse(block)
    if parsed is not None and not spam:
        raise Refused("invalid_request", "block is possible only together with spam: true", "block")
    if parsed is not None and actor.role != "admin":
        raise Refused("forbidden", "Only admins can block a sender: mark the ticket as spam without blocking")
    return parsed


def _blocked_entry(ticket: Ticket, block: SpamBlock) -> str | None:
    """Returns the entry of the list of blocked senders; None if the address cannot be one."""
    local, at_sign, domain = ticket.from_address.rpartition("@")
    if not at_sign or (block == "address" and not local):
        return None
    try:
        entry = ticket.from_address if block == "address" else f"@{domain}"
        return normalize_new_entry(validate_line(entry, "sender", max_length=MAX_ENTRY_LENGTH))
    except (Refused, ValueError):
        return None

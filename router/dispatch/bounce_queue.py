"""The queue of bounces of our own mail that are not read yet.

A bounce is claimed for `LEASE` before it is read. If the process is killed, another one reads it again. The accept
transaction adds bounces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from router.clock import SECOND, Clock
from router.dispatch.bounce_transaction import AppliedBounce, ReadBounce, apply_bounces
from router.lease_owner import is_dead, new_lease_owner
from router.mail.delivery_reports import BounceReport
from router.model import Message, Micros
from router.routing.facts import read_sender_lists
from router.store.database import Database, Statement, model_from_row
from router.store.group_writers import GroupWriters

# Longer than reading a message may take.
LEASE: Micros = 120 * SECOND


@dataclass(frozen=True, slots=True)
class QueuedBounce:
    """A claimed bounce.

    Attributes:
        reply_id, address_key: What the accept transaction knows of the reply and its recipient, or `""`.
        claims: How often the bounce was claimed, this time included.
    """

    message: Message
    ticket_id: str
    reply_id: str
    address_key: str
    claims: int


class BounceQueue:
    """The queue as seen by one process. `max_age` is how long the posts about bounces are retried."""

    def __init__(self, database: Database, writers: GroupWriters, clock: Clock, *, max_age: Micros) -> None:
        self._database = database
        self._writer = writers.open(apply_bounces)
        self._clock = clock
        self._max_age = max_age
        self._owner = new_lease_owner()

    async def claim(self, limit: int) -> list[QueuedBounce]:
        """Claims up to `limit` bounces, the oldest first. Raises `Unavailable`."""
        now = self._clock.now()
        free = {"now": now, "latest_plausible": now + LEASE}
        due = await self._database.fetch_all("bounce_queue_due", limit=limit, **free)
        if not due:
            return []
        wanted = [{"message_id": row["message_id"], "owner": self._owner, "until": now + LEASE, **free} for row in due]
        async with self._database.transaction() as transaction:
            claimed = await transaction.execute_statement(Statement("bounce_queue_claim", wanted))
        found = []
        for claim in claimed:
            row = await self._database.fetch_one("bounce_message", message_id=claim["message_id"])
            if row is None:  # erased with its ticket
                await self._database.execute("bounce_queue_delete", message_id=claim["message_id"], owner=self._owner)
                continue
            message = model_from_row(Message, row)
            found.append(
                QueuedBounce(message, claim["ticket_id"], claim["reply_id"], claim["address_key"], claim["claims"])
            )
        return found

    async def apply(self, bounce: QueuedBounce, report: BounceReport) -> AppliedBounce:
        """Stores what follows from a bounce, and removes it from the queue. Raises `Unavailable`."""
        message = bounce.message
        lists = await read_sender_lists(self._database, message.workspace_id)
        # At a token, all senders are accepted. An allowed sender is believed, as at RCPT.
        decision = lists.decide_recipient(message.reverse_path, message.peer, has_checks=True)
        item = ReadBounce(
            message,
            bounce.ticket_id,
            bounce.reply_id,
            bounce.address_key,
            report,
            self._owner,
            self._clock.now(),
            self._max_age,
            decision.is_refused,
        )
        return await self._writer.commit(item)

    async def give_back(self, message_ids: Sequence[str]) -> None:
        """Makes claimed bounces available to other processes at once. Raises `Unavailable`."""
        for message_id in message_ids:
            await self._database.execute("bounce_queue_return", message_id=message_id, owner=self._owner)

    async def release_dead_owners(self) -> None:
        """Makes the bounces available that dead processes of this host have claimed. Raises `Unavailable`."""
        for row in await self._database.fetch_all("bounce_queue_owners"):
            if is_dead(row["lease_owner"]):
                await self._database.execute("bounce_queue_release_owner", owner=row["lease_owner"])

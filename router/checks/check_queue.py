"""The queue of messages whose sender is not checked yet.

A message is claimed for `LEASE` before its check begins. If the process is killed, another one repeats the check. The
accept transaction adds messages.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from router.checks.check_transaction import StoreChecks, StoredChecks, store_checks
from router.checks.results import MessageChecks
from router.clock import SECOND, Clock
from router.lease_owner import is_dead, new_lease_owner
from router.model import Message, Micros
from router.store.database import Database, Row, Statement, model_from_row
from router.store.group_writers import GroupWriters

# Longer than any deadline of a check that an operator would set.
LEASE: Micros = 60 * SECOND


@dataclass(frozen=True, slots=True)
class QueuedMessage:
    """A claimed message.

    Attributes:
        data: The first chunk of the raw message; None if it was erased.
        claims: How often the message was claimed, this time included.
        is_recheck: Whether a user asked for another check, for which no post waits.
        is_upstream: Whether the domains of all its recipients receive their mail through another host.
    """

    message: Message
    data: bytes | None
    claims: int
    is_upstream: bool
    recipients: tuple[str, ...]
    is_recheck: bool = False


class CheckQueue:
    """The queue as seen by one process."""

    def __init__(self, database: Database, writers: GroupWriters, clock: Clock) -> None:
        self._database = database
        self._writer = writers.open(store_checks)
        self._clock = clock
        self._owner = new_lease_owner()

    async def claim(self, limit: int, *, rechecks: int | None = None) -> list[QueuedMessage]:
        """Claims up to `limit` messages, new ones before those to be checked again, each the oldest first.

        At most `rechecks` are to be checked again; None limits them like the others. Raises `Unavailable`.
        """
        now = self._clock.now()
        free = {"now": now, "latest_plausible": now + LEASE}
        due = await self._database.fetch_all("check_queue_due", recheck=0, limit=limit, **free)
        left = min(limit - len(due), limit if rechecks is None else rechecks)
        if left > 0:
            due = [*due, *await self._database.fetch_all("check_queue_due", recheck=1, limit=left, **free)]
        if not due:
            return []
        wanted = [{"message_id": row["message_id"], "owner": self._owner, "until": now + LEASE, **free} for row in due]
        async with self._database.transaction() as transaction:
            claimed = await transaction.execute_statement(Statement("check_queue_claim", wanted))
        return await self._read(claimed)

    async def _read(self, claimed: Sequence[Row]) -> list[QueuedMessage]:
        claims = {row["message_id"]: row["claims"] for row in claimed}
        rechecks = {row["message_id"] for row in claimed if row["recheck"]}
        ids = json.dumps(sorted(claims))
        rows = await self._database.fetch_all("check_messages", ids=ids)
        recipients: dict[str, list[str]] = {message_id: [] for message_id in claims}
        for row in await self._database.fetch_all("check_recipients", ids=ids):
            recipients[row["message_id"]].append(row["recipient"])
        found = [
            QueuedMessage(
                model_from_row(Message, row),
                None if row["data"] is None else bytes(row["data"]),
                claims[row["id"]],
                bool(row["is_upstream"]),
                tuple(recipients[row["id"]]),
                row["id"] in rechecks,
            )
            for row in rows
        ]
        for message_id in claims.keys() - {each.message.id for each in found}:  # erased with its ticket
            await self._database.execute("check_queue_delete", message_id=message_id, owner=self._owner)
        return sorted(found, key=lambda each: each.message.id)

    async def store(self, message: Message, checks: MessageChecks) -> StoredChecks:
        """Stores the results, with all that follows from them, and removes the message. Raises `Unavailable`."""
        item = StoreChecks(message.id, message.workspace_id, self._owner, checks, self._clock.now())
        return await self._writer.commit(item)

    async def give_back(self, message_ids: Sequence[str]) -> None:
        """Makes claimed messages available to other processes at once. Raises `Unavailable`."""
        for message_id in message_ids:
            await self._database.execute("check_queue_return", message_id=message_id, owner=self._owner, due_at=0)

    async def release_dead_owners(self) -> None:
        """Makes the messages available that dead processes of this host have claimed. Raises `Unavailable`."""
        for row in await self._database.fetch_all("check_queue_owners"):
            if is_dead(row["lease_owner"]):
                await self._database.execute("check_queue_release_owner", owner=row["lease_owner"])

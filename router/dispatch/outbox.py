"""The outbox: what is written before and after an attempt.

The attempt is committed before the request is sent. If the process is killed, the request may have been sent; it is
repeated after the lease ends. Only the process that holds the lease of an integration sends to it. No request begins
after the lease or lasts longer, so an integration has at most one request in flight.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.channels.contract import Pace
from router.clock import Clock
from router.dispatch import pacing, schedule
from router.dispatch.delivery_batch import CompletedBatch, OutboxLimits
from router.dispatch.outbox_transaction import Claim, ClaimRequest, claim_and_record
from router.dispatch.outcome_statements import PARK_STEP
from router.errors import RowLocked
from router.model import Micros
from router.store import batches
from router.store.database import Database, QueryExecutor, Row, StatementGenerator
from router.store.group_writers import GroupWriters
from router.store.spam_marks import INTEGRATION_REMOVED


class Outbox:
    """The outbox as seen by one dispatcher; `owner` identifies this process in the leases."""

    def __init__(
        self, database: Database, writers: GroupWriters, clock: Clock, owner: str, limits: OutboxLimits
    ) -> None:
        self._database = database
        self._writer = writers.open(self._write_group)
        self._clock = clock
        self._owner = owner
        self._limits = limits

    async def find_ready_integrations(self, limit: int) -> list[str]:
        """Returns the ids of integrations that have due work and no valid lease, and may send now or soon."""
        by_own_pace = self._limits.types_by_own_pace()
        own_types = [integration_type for types in by_own_pace.values() for integration_type in types]
        rows = await self._find_ready(self._limits.pace, own_types, limit, is_listed=False)
        for pace, types in by_own_pace.items():
            rows += await self._find_ready(pace, types, limit, is_listed=True)
        rows.sort(key=lambda row: (row["paced_at"], row["id"]))
        return [row["id"] for row in rows[:limit]]

    async def _find_ready(self, pace: Pace, types: Sequence[str], limit: int, *, is_listed: bool) -> list[Row]:
        """Returns the ready integrations of the types, or of all other types, which have this pace."""
        now = self._clock.now()
        first = pacing.paced_at_for(now + self._limits.max_lease_wait, pace.per_second, pace.burst)
        return list(
            await self._database.fetch_all(
                "dispatch_ready_integrations",
                now=now,
                latest_plausible=self._limits.latest_plausible(now),
                types=f",{','.join(types)},",
                is_listed=int(is_listed),
                max_paced_at=first,
                max_plausible_paced_at=first + pacing.MAX_AHEAD,
                limit=limit,
            )
        )

    async def claim_and_record(
        self, integration_id: str, completed: CompletedBatch | None, *, stop: bool = False
    ) -> Claim:
        """Records the outcome of `completed` and opens the next attempts, in one transaction.

        Workers that finish together share a commit. With `stop`, releases the lease instead of opening attempts.
        Returns None if the lease is not held afterwards. Raises `Unavailable` if the outcome was not recorded.
        """
        return await self._writer.commit(ClaimRequest(integration_id, completed, stop))

    def _write_group(self, requests: Sequence[ClaimRequest]) -> StatementGenerator[Sequence[Claim | RowLocked]]:
        """Starts the transaction of a group. The time is read now, because a lease must not start in the past."""
        return claim_and_record(requests, self._clock.now(), self._owner, self._limits)

    async def repair(self) -> None:
        """Corrects deliveries that no worker would find, after a wrong clock or the deletion of an integration."""
        now = self._clock.now()
        await self._database.execute("dispatch_repair_times", now=now, latest_plausible=now + schedule.MAX_WAIT)
        while not await end_removed_deliveries(self._database):
            await batches.pause()

    async def release_owner(self, owner: str) -> None:
        """Releases the leases of a dead process. Deliveries that it was sending become due at once."""
        async with self._database.transaction() as transaction:
            for row in await transaction.fetch_all("dispatch_release_owner", owner=owner):
                await transaction.execute(
                    "dispatch_release_owner_deliveries", integration_id=row["id"], now=self._clock.now()
                )

    async def lease_owners(self) -> list[str]:
        return [row["lease_owner"] for row in await self._database.fetch_all("dispatch_lease_owners")]


async def end_removed_deliveries(executor: QueryExecutor, integration_id: str | None = None) -> bool:
    """Fails the first pending deliveries of the integration that is being deleted, or else of all deleted ones.

    Deletes the updates among them: they concern no ticket event. Returns whether all are ended.
    """
    which: dict[str, object] = {"integration_id": integration_id, "limit": PARK_STEP}
    if await executor.execute("dispatch_delete_removed_updates", **which) < PARK_STEP:
        await executor.execute("dispatch_fail_removed", **which, reason=INTEGRATION_REMOVED)
    # Not the number of changed rows: a row that another transaction changes meanwhile is counted by neither.
    return await executor.fetch_one("dispatch_removed_delivery", integration_id=integration_id) is None


async def reactivate_integration(transaction: QueryExecutor, integration_id: str, now: Micros) -> None:
    """Marks the integration as active and makes its oldest parked deliveries due; claims do so with the others."""
    await transaction.execute("dispatch_mark_active", id=integration_id)
    await transaction.execute("dispatch_unpark", integration_id=integration_id, now=now, limit=PARK_STEP)

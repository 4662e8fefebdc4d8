"""The outbox's transactions: what is written before an attempt and after it.

The rule is attempt before action: `turn` records the outcome of what was just sent and opens the next attempt, in
one transaction; only then is anything sent. So a kill at any point leaves either an attempt that was never made, or
one whose outcome is unknown and that is made again when the lease ends. An integration is held by one process at a
time (its lease), so no webhook ever has two messages in flight.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess
from router.clock import SECOND, Clock
from router.dispatch import pacing, schedule
from router.model import Delivery, Integration, Micros
from router.store.database import Database, QueryExecutor, fetch_model, fetch_models

# How a delivery is told: as its channel's rich message, as plain text after that was refused, or in a digest.
Form = Literal["message", "text", "digest"]


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """Open attempts that one request is for: a single delivery, or several in a digest.

    attempts: the number of each delivery's attempt, in their order. probe: the integration is failing, this tries it.
    """

    integration: Integration
    deliveries: tuple[Delivery, ...]
    attempts: tuple[int, ...]
    form: Form
    probe: bool


@dataclass(frozen=True, slots=True)
class NotSent(SendRetry):
    """Nothing was sent, for a reason of ours that passes: it waits the schedule's first step, whatever the attempt.

    The later steps are for a far side that keeps failing; our own database's restarts must not add up to hours.
    """


@dataclass(frozen=True, slots=True)
class PacingDelay:
    """Nothing may be sent before `until`; the integration is still held."""

    until: Micros


@dataclass(frozen=True, slots=True)
class CompletedBatch:
    """What became of a piece of work. `random` in [0, 1) spreads the next attempt."""

    work: DeliveryBatch
    outcome: SendOutcome
    random: float


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """The bounds of `[delivery]`, in the units used here."""

    per_second: float
    burst: int
    digest_after: int
    lease: Micros
    max_claims: int
    max_lease_wait: Micros


class Outbox:
    """Built by the assembly for one dispatcher; `owner` names this process in the leases."""

    def __init__(self, database: Database, clock: Clock, owner: str, limits: OutboxLimits) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._limits = limits

    async def find_ready_integrations(self, limit: int) -> list[str]:
        """Ids of integrations that nobody holds and that have something to do now."""
        now = self._clock.now()
        first = pacing.paced_at_for(now + self._limits.max_lease_wait, self._limits.per_second, self._limits.burst)
        last = first + pacing.MAX_AHEAD
        rows = await self._database.fetch_all(
            "dispatch_ready_integrations",
            now=now,
            latest_plausible=self._latest_plausible(now),
            max_paced_at=first,
            max_plausible_paced_at=last,
            limit=limit,
        )
        return [row["id"] for row in rows]

    async def claim_and_record(
        self, integration_id: str, finished: CompletedBatch | None, digest_limit: int, *, stop: bool = False
    ) -> DeliveryBatch | PacingDelay | None:
        """Writes what is finished, then opens the next attempts; None: nothing to do, and no longer held.

        stop: only write and let go.
        """
        async with self._database.transaction() as transaction:
            now = self._clock.now()
            if finished is not None:
                await self._record_outcome(transaction, finished, now)
            integration = None if stop else await self._take_lease(transaction, integration_id, now)
            if integration is None:
                await transaction.execute("dispatch_release_lease", id=integration_id, owner=self._owner)
                return None
            if finished is None and integration.status == "active":
                # An accept that saw the integration failing may have committed after it healed: nobody else looks.
                await transaction.execute("dispatch_unpark", integration_id=integration_id, now=now)
            claimed = await self._open_next(transaction, integration, now, digest_limit)
            if claimed is None or (
                isinstance(claimed, PacingDelay) and claimed.until > now + self._limits.max_lease_wait
            ):
                await transaction.execute("dispatch_release_lease", id=integration_id, owner=self._owner)
                return None
            return claimed

    async def repair(self) -> None:
        """Makes due what a wrong clock has put off for longer than any schedule does; ends what is owed to nobody."""
        now = self._clock.now()
        await self._database.execute("dispatch_repair_times", now=now, latest_plausible=now + schedule.MAX_WAIT)
        await self._database.execute("dispatch_fail_orphans", reason="the integration was removed")

    async def release_owner(self, owner: str) -> None:
        """Frees what a process held that is known to be dead; what it was sending is due at once."""
        async with self._database.transaction() as transaction:
            await transaction.execute("dispatch_release_owner_deliveries", owner=owner, now=self._clock.now())
            await transaction.execute("dispatch_release_owner", owner=owner)

    async def lease_owners(self) -> list[str]:
        """Every process that holds an integration."""
        return [row["lease_owner"] for row in await self._database.fetch_all("dispatch_lease_owners")]

    async def _take_lease(self, transaction: QueryExecutor, integration_id: str, now: Micros) -> Integration | None:
        return await fetch_model(
            transaction,
            Integration,
            "dispatch_take_lease",
            id=integration_id,
            owner=self._owner,
            now=now,
            latest_plausible=self._latest_plausible(now),
            until=now + self._limits.lease,
        )

    def _latest_plausible(self, now: Micros) -> Micros:
        """No lease and no probe lies further ahead than this, unless the clock was wrong when it was written."""
        return now + self._limits.lease + pacing.MAX_AHEAD

    async def _open_next(
        self, transaction: QueryExecutor, integration: Integration, now: Micros, digest_limit: int
    ) -> DeliveryBatch | PacingDelay | None:
        probe = integration.status == "failing"
        if probe and (integration.probe_at is None or now < integration.probe_at <= self._latest_plausible(now)):
            return None
        wait, paced_at = pacing.admit(integration.paced_at, now, self._limits.per_second, self._limits.burst)
        if wait:
            return PacingDelay(now + wait)
        while True:
            selected = await self._select_deliveries(transaction, integration.id, now, digest_limit, probe=probe)
            if not selected:
                return None
            exhausted = [d for d in selected if d.claims >= self._limits.max_claims]
            if not exhausted:
                break
            for delivery in exhausted:
                reason = f"failed permanently: claimed {delivery.claims} times without an outcome"
                await transaction.execute("dispatch_mark_lost", delivery_id=delivery.id, now=now)
                await transaction.execute("dispatch_mark_dead", id=delivery.id, reason=reason)
        form: Form = "text" if selected[0].via == "text" else "message"
        if len(selected) > 1:
            form = "digest"
        attempts = [await self._open_attempt(transaction, delivery, now) for delivery in selected]
        await transaction.execute("dispatch_set_pace", id=integration.id, paced_at=paced_at)
        return DeliveryBatch(integration, tuple(selected), tuple(attempts), form, probe)

    async def _select_deliveries(
        self, transaction: QueryExecutor, integration_id: str, now: Micros, digest_limit: int, *, probe: bool
    ) -> Sequence[Delivery]:
        """One delivery, or as many as a digest takes when more than `digest_after` wait."""
        if probe:
            return await fetch_models(transaction, Delivery, "dispatch_probe_delivery", integration_id=integration_id)
        after = self._limits.digest_after
        over_threshold = await transaction.fetch_one(
            "dispatch_digest_threshold", integration_id=integration_id, now=now, after=after
        )
        limit = 1 if over_threshold is None else digest_limit
        return await fetch_models(
            transaction, Delivery, "dispatch_due_deliveries", integration_id=integration_id, now=now, limit=limit
        )

    async def _open_attempt(self, transaction: QueryExecutor, delivery: Delivery, now: Micros) -> int:
        if delivery.attempts:  # not `claims`: parking forgets those, and an attempt may be open all the same
            await transaction.execute("dispatch_mark_lost", delivery_id=delivery.id, now=now)
        row = await transaction.fetch_one("dispatch_begin_attempt", id=delivery.id, until=now + self._limits.lease)
        n: int = row["attempts"] if row else 0
        await transaction.execute("dispatch_insert_attempt", delivery_id=delivery.id, n=n, started_at=now)
        return n

    async def _record_outcome(self, transaction: QueryExecutor, finished: CompletedBatch, now: Micros) -> None:
        work, outcome = finished.work, finished.outcome
        result = {
            "finished_at": now,
            "outcome": outcome_name(outcome),
            "status": outcome.status,
            "latency": outcome.latency,
            "answer": outcome.excerpt or ("" if isinstance(outcome, SendSuccess) else outcome.reason),
        }
        # In one call for a whole digest: until the commit, a crash has it sent again.
        await transaction.execute_many(
            "dispatch_record_attempt",
            [{"delivery_id": d.id, "n": n, **result} for d, n in zip(work.deliveries, work.attempts, strict=True)],
        )
        if not isinstance(outcome, SendSuccess) and await self._was_changed_meanwhile(transaction, work):
            for delivery in work.deliveries:
                await transaction.execute(
                    "dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="", reason=outcome.reason
                )
            return
        match outcome:
            case SendSuccess():
                await self._record_delivered(transaction, work, now)
            case SendRetry():
                await self._record_retry(transaction, work, outcome, finished.random, now)
            case SendFailure(kind="permanent"):
                await self._mark_failing(transaction, work, outcome.reason, now)
            case SendFailure(kind="payload") if work.form == "message":
                for delivery in work.deliveries:
                    await transaction.execute(
                        "dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="text", reason=outcome.reason
                    )
            case SendFailure():
                for delivery in work.deliveries:
                    await transaction.execute("dispatch_mark_dead", id=delivery.id, reason=outcome.reason)
                await self._record_failure(transaction, work, outcome.reason, now)

    async def _was_changed_meanwhile(self, transaction: QueryExecutor, work: DeliveryBatch) -> bool:
        """Whether somebody set a new URL, or healed the integration, while the old one was being tried.

        What the old one answered says nothing about the new one.
        """
        row = await transaction.fetch_one("dispatch_current_integration", id=work.integration.id)
        if row is None:
            return False
        healed = work.probe and row["status"] == "active"
        return bool(healed or row["sealed_settings"] != work.integration.sealed_settings)

    async def _record_delivered(self, transaction: QueryExecutor, work: DeliveryBatch, now: Micros) -> None:
        await transaction.execute_many(
            "dispatch_mark_delivered",
            [{"id": delivery.id, "now": now, "via": work.form} for delivery in work.deliveries],
        )
        if work.probe:
            await reactivate_integration(transaction, work.integration.id, now)
        elif work.integration.last_error:
            await transaction.execute("dispatch_set_last_error", id=work.integration.id, reason="")

    async def _record_retry(
        self, transaction: QueryExecutor, work: DeliveryBatch, outcome: SendRetry, random: float, now: Micros
    ) -> None:
        await self._record_failure(transaction, work, outcome.reason, now)
        for delivery, attempt in zip(work.deliveries, work.attempts, strict=True):
            step = 1 if isinstance(outcome, NotSent) else attempt
            due = schedule.next_attempt(step, now, delivery.expires_at, outcome.retry_after, random)
            if due is None and delivery.parked_at is None:
                await transaction.execute(
                    "dispatch_mark_dead", id=delivery.id, reason=f"failed permanently: {outcome.reason}"
                )
            else:
                via = "text" if work.form == "text" else ""
                # The statement keeps a parked one parked; one that was set free meanwhile needs a time.
                next_attempt_at = now if due is None else due
                await transaction.execute(
                    "dispatch_reschedule",
                    id=delivery.id,
                    next_attempt_at=next_attempt_at,
                    via=via,
                    reason=outcome.reason,
                )
        if outcome.retry_after is not None:
            # "Not before" is about the webhook, not about this one message.
            not_before = now + round(outcome.retry_after * SECOND)
            paced_at = pacing.paced_at_for(not_before, self._limits.per_second, self._limits.burst)
            await transaction.execute("dispatch_set_pace", id=work.integration.id, paced_at=paced_at)

    async def _mark_failing(self, transaction: QueryExecutor, work: DeliveryBatch, reason: str, now: Micros) -> None:
        for delivery in work.deliveries:
            await transaction.execute("dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="", reason=reason)
        await self._schedule_probe(transaction, work.integration, reason, now)
        await transaction.execute("dispatch_park", integration_id=work.integration.id, now=now)

    async def _record_failure(self, transaction: QueryExecutor, work: DeliveryBatch, reason: str, now: Micros) -> None:
        if work.probe:
            await self._schedule_probe(transaction, work.integration, reason, now)
        else:
            await transaction.execute("dispatch_set_last_error", id=work.integration.id, reason=reason)

    async def _schedule_probe(
        self, transaction: QueryExecutor, integration: Integration, reason: str, now: Micros
    ) -> None:
        interval = schedule.next_probe_interval(integration.probe_interval)
        await transaction.execute(
            "dispatch_mark_failing",
            id=integration.id,
            reason=reason,
            now=now,
            probe_interval=interval,
            probe_at=now + interval,
        )


async def reactivate_integration(transaction: QueryExecutor, integration_id: str, now: Micros) -> None:
    """The integration is active again, and its parked deliveries are due."""
    await transaction.execute("dispatch_mark_active", id=integration_id)
    await transaction.execute("dispatch_unpark", integration_id=integration_id, now=now)


def outcome_name(outcome: SendOutcome) -> str:
    """The word of an attempt's outcome in the API: sent, retry, parked, rejected or refused (the form of it)."""
    match outcome:
        case SendSuccess():
            return "sent"
        case SendRetry():
            return "retry"
        case SendFailure(kind="permanent"):
            return "parked"
        case SendFailure(kind="payload"):
            return "refused"
        case _:
            return "rejected"

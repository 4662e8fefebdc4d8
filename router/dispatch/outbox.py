"""The transactions of the outbox: what is written before and after an attempt.

The attempt is committed before the request is sent. If the process is killed, the request may have been sent; it is
repeated after the lease ends. Only the process that holds the lease of an integration sends to it. Requests end
before the lease, so an integration has at most one request in flight.
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

# A rich message, plain text after the rich message was rejected, or a digest.
Form = Literal["message", "text", "digest"]


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """The deliveries of one request: a single one, or several in a digest.

    `attempts` contains the attempt number of each delivery, in the same order. A `probe` tests a failing integration.
    """

    integration: Integration
    deliveries: tuple[Delivery, ...]
    attempts: tuple[int, ...]
    form: Form
    probe: bool


@dataclass(frozen=True, slots=True)
class NotSent(SendRetry):
    """Nothing was sent, for a temporary reason in this installation.

    Only the first wait of the schedule applies, because the later waits are for failing endpoints.
    """


@dataclass(frozen=True, slots=True)
class PacingDelay:
    """Nothing may be sent before `until`; the lease is kept."""

    until: Micros


@dataclass(frozen=True, slots=True)
class CompletedBatch:
    """A batch with its outcome. `random`, in [0, 1), determines the jitter."""

    batch: DeliveryBatch
    outcome: SendOutcome
    random: float


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Settings of `[delivery]`, and `max_lease_wait`, the longest pacing delay for which a lease is kept."""

    per_second: float
    burst: int
    digest_after: int
    lease: Micros
    max_claims: int
    max_lease_wait: Micros


class Outbox:
    """The outbox as seen by one dispatcher; `owner` identifies this process in the leases."""

    def __init__(self, database: Database, clock: Clock, owner: str, limits: OutboxLimits) -> None:
        self._database = database
        self._clock = clock
        self._owner = owner
        self._limits = limits

    async def find_ready_integrations(self, limit: int) -> list[str]:
        """Returns the ids of integrations that have due work and no valid lease, and may send now or soon."""
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
        self, integration_id: str, completed: CompletedBatch | None, digest_limit: int, *, stop: bool = False
    ) -> DeliveryBatch | PacingDelay | None:
        """Records the outcome of `completed` and opens the next attempts, in one transaction.

        With `stop`, releases the lease instead of opening attempts. Returns None if the lease is not held afterwards.
        """
        async with self._database.transaction() as transaction:
            now = self._clock.now()
            if completed is not None:
                await self._record_outcome(transaction, completed, now)
            integration = None if stop else await self._take_lease(transaction, integration_id, now)
            if integration is None:
                await transaction.execute("dispatch_release_lease", id=integration_id, owner=self._owner)
                return None
            if completed is None and integration.status == "active":
                # An accept transaction that has read the status `failing` may commit after the reactivation and park
                # its delivery.
                await transaction.execute("dispatch_unpark", integration_id=integration_id, now=now)
            claimed = await self._open_next(transaction, integration, now, digest_limit)
            if claimed is None or (
                isinstance(claimed, PacingDelay) and claimed.until > now + self._limits.max_lease_wait
            ):
                await transaction.execute("dispatch_release_lease", id=integration_id, owner=self._owner)
                return None
            return claimed

    async def repair(self) -> None:
        """Corrects deliveries that no worker would find, after a wrong clock or the deletion of an integration."""
        now = self._clock.now()
        await self._database.execute("dispatch_repair_times", now=now, latest_plausible=now + schedule.MAX_WAIT)
        await self._database.execute("dispatch_fail_orphans", reason="the integration was removed")

    async def release_owner(self, owner: str) -> None:
        """Releases the leases of a dead process. Deliveries that it was sending become due at once."""
        async with self._database.transaction() as transaction:
            await transaction.execute("dispatch_release_owner_deliveries", owner=owner, now=self._clock.now())
            await transaction.execute("dispatch_release_owner", owner=owner)

    async def lease_owners(self) -> list[str]:
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
        """Returns the latest plausible time of a lease or probe; later times come from a wrong clock."""
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
        if delivery.attempts:  # not `claims`: parking resets it while an attempt may be open
            await transaction.execute("dispatch_mark_lost", delivery_id=delivery.id, now=now)
        row = await transaction.fetch_one("dispatch_begin_attempt", id=delivery.id, until=now + self._limits.lease)
        n: int = row["attempts"] if row else 0
        await transaction.execute("dispatch_insert_attempt", delivery_id=delivery.id, n=n, started_at=now)
        return n

    async def _record_outcome(self, transaction: QueryExecutor, completed: CompletedBatch, now: Micros) -> None:
        batch, outcome = completed.batch, completed.outcome
        result = {
            "finished_at": now,
            "outcome": outcome_name(outcome),
            "status": outcome.status,
            "latency": outcome.latency,
            "answer": outcome.excerpt or ("" if isinstance(outcome, SendSuccess) else outcome.reason),
        }
        # In bulk, to keep the transaction short: after a crash before the commit, the digest would be sent again.
        await transaction.execute_many(
            "dispatch_record_attempt",
            [{"delivery_id": d.id, "n": n, **result} for d, n in zip(batch.deliveries, batch.attempts, strict=True)],
        )
        if not isinstance(outcome, SendSuccess) and await self._was_changed_meanwhile(transaction, batch):
            for delivery in batch.deliveries:
                await transaction.execute(
                    "dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="", reason=outcome.reason
                )
            return
        match outcome:
            case SendSuccess():
                await self._record_delivered(transaction, batch, now)
            case SendRetry():
                await self._record_retry(transaction, batch, outcome, completed.random, now)
            case SendFailure(kind="permanent"):
                await self._mark_failing(transaction, batch, outcome.reason, now)
            case SendFailure(kind="payload") if batch.form == "message":
                for delivery in batch.deliveries:
                    await transaction.execute(
                        "dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="text", reason=outcome.reason
                    )
            case SendFailure():
                for delivery in batch.deliveries:
                    await transaction.execute("dispatch_mark_dead", id=delivery.id, reason=outcome.reason)
                await self._record_failure(transaction, batch, outcome.reason, now)

    async def _was_changed_meanwhile(self, transaction: QueryExecutor, batch: DeliveryBatch) -> bool:
        """Whether the settings were changed, or a failing integration was reactivated, during the request.

        The outcome then does not apply to the current state.
        """
        row = await transaction.fetch_one("dispatch_current_integration", id=batch.integration.id)
        if row is None:
            return False
        is_reactivated = batch.probe and row["status"] == "active"
        return bool(is_reactivated or row["encrypted_settings"] != batch.integration.encrypted_settings)

    async def _record_delivered(self, transaction: QueryExecutor, batch: DeliveryBatch, now: Micros) -> None:
        await transaction.execute_many(
            "dispatch_mark_delivered",
            [{"id": delivery.id, "now": now, "via": batch.form} for delivery in batch.deliveries],
        )
        if batch.probe:
            await reactivate_integration(transaction, batch.integration.id, now)
        elif batch.integration.last_error:
            await transaction.execute("dispatch_set_last_error", id=batch.integration.id, reason="")

    async def _record_retry(
        self, transaction: QueryExecutor, batch: DeliveryBatch, outcome: SendRetry, random: float, now: Micros
    ) -> None:
        await self._record_failure(transaction, batch, outcome.reason, now)
        for delivery, attempt in zip(batch.deliveries, batch.attempts, strict=True):
            attempts = 1 if isinstance(outcome, NotSent) else attempt
            due = schedule.next_attempt(attempts, now, delivery.expires_at, outcome.retry_after, random)
            if due is None and delivery.parked_at is None:
                await transaction.execute(
                    "dispatch_mark_dead", id=delivery.id, reason=f"failed permanently: {outcome.reason}"
                )
            else:
                via = "text" if batch.form == "text" else ""
                # Ignored for a parked delivery, unless it was unparked during the request.
                next_attempt_at = now if due is None else due
                await transaction.execute(
                    "dispatch_reschedule",
                    id=delivery.id,
                    next_attempt_at=next_attempt_at,
                    via=via,
                    reason=outcome.reason,
                )
        if outcome.retry_after is not None:
            # Retry-After applies to all deliveries to the webhook.
            not_before = now + round(outcome.retry_after * SECOND)
            paced_at = pacing.paced_at_for(not_before, self._limits.per_second, self._limits.burst)
            await transaction.execute("dispatch_set_pace", id=batch.integration.id, paced_at=paced_at)

    async def _mark_failing(self, transaction: QueryExecutor, batch: DeliveryBatch, reason: str, now: Micros) -> None:
        for delivery in batch.deliveries:
            await transaction.execute("dispatch_reschedule", id=delivery.id, next_attempt_at=now, via="", reason=reason)
        await self._schedule_probe(transaction, batch.integration, reason, now)
        await transaction.execute("dispatch_park", integration_id=batch.integration.id, now=now)

    async def _record_failure(self, transaction: QueryExecutor, batch: DeliveryBatch, reason: str, now: Micros) -> None:
        if batch.probe:
            await self._schedule_probe(transaction, batch.integration, reason, now)
        else:
            await transaction.execute("dispatch_set_last_error", id=batch.integration.id, reason=reason)

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
    await transaction.execute("dispatch_mark_active", id=integration_id)
    await transaction.execute("dispatch_unpark", integration_id=integration_id, now=now)


def outcome_name(outcome: SendOutcome) -> str:
    """Returns the name of an outcome in the API."""
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

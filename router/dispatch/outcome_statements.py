"""Records the outcomes of several batches, as statements of the outbox transaction.

Pure, except for one read: whether an integration was changed during a request that failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch import pacing, schedule
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, NotSent, OutboxLimits, outcome_name
from router.model import Integration, Micros
from router.store.database import Row, Statement, StatementGenerator

# The order of the statements. Parking and unparking change deliveries that earlier statements have rescheduled.
_ORDER = (
    "dispatch_record_attempt",
    "dispatch_mark_delivered",
    "dispatch_reschedule",
    "dispatch_mark_dead",
    "dispatch_set_last_error",
    "dispatch_mark_failing",
    "dispatch_mark_active",
    "dispatch_park",
    "dispatch_unpark",
    "dispatch_set_pace",
)


def record_outcomes(completed: Sequence[CompletedBatch], now: Micros, limits: OutboxLimits) -> StatementGenerator[None]:
    """Records what happened to each batch, and what follows for its deliveries and its integration."""
    failed = [each.batch for each in completed if not isinstance(each.outcome, SendSuccess)]
    current = yield Statement("dispatch_current_integration", [{"id": batch.integration.id} for batch in failed])
    current_rows = {row["id"]: row for row in current}
    changes = _Changes(now, limits)
    for each in completed:
        changes.add_attempts(each)
        if isinstance(each.outcome, SendSuccess):
            changes.add_delivered(each.batch)
        elif _was_changed_meanwhile(each.batch, current_rows.get(each.batch.integration.id)):
            changes.reschedule_all(each.batch, reason=each.outcome.reason)
        elif isinstance(each.outcome, SendRetry):
            changes.add_retry(each.batch, each.outcome, each.random)
        else:
            changes.add_failure(each.batch, each.outcome)
    for query in _ORDER:
        if changes.rows[query]:
            yield Statement(query, changes.rows[query])


def _was_changed_meanwhile(batch: DeliveryBatch, current: Row | None) -> bool:
    """Whether the settings were changed, or a failing integration was reactivated, during the request.

    The outcome then does not apply to the current state.
    """
    if current is None:
        return False
    is_reactivated = batch.probe and current["status"] == "active"
    return bool(is_reactivated or current["encrypted_settings"] != batch.integration.encrypted_settings)


class _Changes:
    """Collects the rows of each statement."""

    def __init__(self, now: Micros, limits: OutboxLimits) -> None:
        self.rows: dict[str, list[dict[str, object]]] = {query: [] for query in _ORDER}
        self._now = now
        self._limits = limits

    def add_attempts(self, completed: CompletedBatch) -> None:
        batch, outcome = completed.batch, completed.outcome
        result = {
            "finished_at": self._now,
            "outcome": outcome_name(outcome),
            "status": outcome.status,
            "latency": outcome.latency,
            "answer": outcome.excerpt or ("" if isinstance(outcome, SendSuccess) else outcome.reason),
        }
        self.rows["dispatch_record_attempt"] += (
            {"delivery_id": delivery.id, "n": n, **result}
            for delivery, n in zip(batch.deliveries, batch.attempts, strict=True)
        )

    def add_delivered(self, batch: DeliveryBatch) -> None:
        self.rows["dispatch_mark_delivered"] += (
            {"id": delivery.id, "now": self._now, "via": batch.form} for delivery in batch.deliveries
        )
        if batch.probe:
            self._add("dispatch_mark_active", id=batch.integration.id)
            self._add("dispatch_unpark", integration_id=batch.integration.id, now=self._now)
        elif batch.integration.last_error:
            self._add("dispatch_set_last_error", id=batch.integration.id, reason="")

    def add_retry(self, batch: DeliveryBatch, outcome: SendRetry, random: float) -> None:
        self._add_error(batch, outcome.reason)
        for delivery, attempt in zip(batch.deliveries, batch.attempts, strict=True):
            attempts = 1 if isinstance(outcome, NotSent) else attempt
            due = schedule.next_attempt(attempts, self._now, delivery.expires_at, outcome.retry_after, random)
            if due is None and delivery.parked_at is None:
                self._add("dispatch_mark_dead", id=delivery.id, reason=f"failed permanently: {outcome.reason}")
            else:
                via = "text" if batch.form == "text" else ""
                # Ignored for a parked delivery, unless it was unparked during the request.
                next_attempt_at = self._now if due is None else due
                self._reschedule(delivery.id, next_attempt_at, via=via, reason=outcome.reason)
        if outcome.retry_after is not None:
            # Retry-After applies to all deliveries to the webhook.
            not_before = self._now + round(outcome.retry_after * SECOND)
            pace = self._limits.of_type(batch.integration.type).pace
            paced_at = pacing.paced_at_for(not_before, pace.per_second, pace.burst)
            self._add("dispatch_set_pace", id=batch.integration.id, paced_at=paced_at)

    def add_failure(self, batch: DeliveryBatch, outcome: SendFailure) -> None:
        if outcome.kind == "permanent":
            self.reschedule_all(batch, reason=outcome.reason)
            self._schedule_probe(batch.integration, outcome.reason)
            self._add("dispatch_park", integration_id=batch.integration.id, now=self._now)
        elif outcome.kind == "payload" and batch.form == "message":
            self.reschedule_all(batch, via="text", reason=outcome.reason)
        else:
            for delivery in batch.deliveries:
                self._add("dispatch_mark_dead", id=delivery.id, reason=outcome.reason)
            self._add_error(batch, outcome.reason)

    def reschedule_all(self, batch: DeliveryBatch, *, via: str = "", reason: str) -> None:
        for delivery in batch.deliveries:
            self._reschedule(delivery.id, self._now, via=via, reason=reason)

    def _reschedule(self, delivery_id: str, next_attempt_at: Micros, *, via: str, reason: str) -> None:
        self._add("dispatch_reschedule", id=delivery_id, next_attempt_at=next_attempt_at, via=via, reason=reason)

    def _add_error(self, batch: DeliveryBatch, reason: str) -> None:
        if batch.probe:
            self._schedule_probe(batch.integration, reason)
        else:
            self._add("dispatch_set_last_error", id=batch.integration.id, reason=reason)

    def _schedule_probe(self, integration: Integration, reason: str) -> None:
        interval = schedule.next_probe_interval(integration.probe_interval)
        self._add(
            "dispatch_mark_failing",
            id=integration.id,
            reason=reason,
            now=self._now,
            probe_interval=interval,
            probe_at=self._now + interval,
        )

    def _add(self, query: str, **values: object) -> None:
        self.rows[query].append(values)

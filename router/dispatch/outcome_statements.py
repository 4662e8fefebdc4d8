"""Records the outcomes of several batches, as statements of the outbox transaction.

Reads only what changed during a request: the integrations of failed requests, and the tickets whose state a message
shows. A change of a ticket during the request is not lost: its post is updated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from router.channels.contract import SendFailure, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch import pacing, schedule, ticket_state
from router.dispatch.delivery_batch import (
    CompletedBatch,
    DeliveryBatch,
    NotSent,
    OutboxLimits,
    StateShown,
    Unchanged,
    outcome_name,
)
from router.model import Integration, Micros
from router.store.database import Row, Statement, StatementGenerator
from router.store.post_updates import queue_updates_of

# The maximum number of deliveries that one request parks or makes due, because other requests wait for its transaction.
PARK_STEP = 500

# The order of the statements: deliveries before attempts. Unparking changes deliveries that were rescheduled before.
_ORDER = (
    "dispatch_mark_delivered",
    "dispatch_reschedule",
    "dispatch_mark_dead",
    "dispatch_record_attempt",
    "dispatch_set_last_error",
    "dispatch_mark_failing",
    "dispatch_mark_active",
    "dispatch_unpark",
    "dispatch_set_pace",
    "post_insert",
    "post_set_rendered",
    "post_delete",
    "post_delete_update",
)


def record_outcomes(
    completed: Sequence[CompletedBatch],
    current_states: Mapping[str, str],
    current_integrations: Mapping[str, Row],
    now: Micros,
    limits: OutboxLimits,
) -> StatementGenerator[None]:
    """Records what happened to each batch, and what follows for its deliveries, its integration and its post.

    Args:
        current_states: What `lock_tickets` returned.
        current_integrations: The locked integrations by their ids. A deleted integration has none.
    """
    changes = _Changes(now, limits)
    for each in completed:
        changes.add_attempts(each)
        if isinstance(each.outcome, SendSuccess) and each.outcome.pause:
            changes.pause(each.batch.integration, each.outcome.pause)
        if isinstance(each.outcome, StateShown):
            changes.add_state_shown(each.batch, each.outcome, current_states.get(each.batch.deliveries[0].ticket_id))
        elif isinstance(each.outcome, Unchanged):
            changes.drop_update(each.batch)
        elif isinstance(each.outcome, SendSuccess):
            changes.add_delivered(each.batch)
        elif _was_changed_meanwhile(each.batch, current_integrations.get(each.batch.integration.id)):
            changes.reschedule_all(each.batch, reason=each.outcome.reason)
        elif isinstance(each.outcome, SendRetry):
            changes.add_retry(each.batch, each.outcome, each.random)
        elif each.batch.is_update:
            changes.add_failed_update(each.batch, each.outcome, each.random)
        else:
            changes.add_failure(each.batch, each.outcome)
    for query in _ORDER:
        if changes.rows[query]:
            # The rows of one statement are locked in the order of their ids, which avoids deadlocks.
            yield Statement(query, sorted(changes.rows[query], key=lambda row: str(row.get("id", ""))))
    yield from queue_updates_of(changes.outdated_tickets, now)


def lock_tickets(completed: Sequence[CompletedBatch]) -> StatementGenerator[dict[str, str]]:
    """Returns the hash of the current state of each ticket whose state was shown, and locks the ticket.

    This is the first statement of the transaction, and the tickets are in order: both avoid deadlocks.
    """
    shown = {each.batch.deliveries[0].ticket_id for each in completed if isinstance(each.outcome, StateShown)}
    rows = yield Statement("post_states", [{"ticket_id": ticket_id} for ticket_id in sorted(shown)])
    return {row["ticket_id"]: ticket_state.hash_state(ticket_state.from_row(row)) for row in rows}


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
        self.outdated_tickets: list[str] = []  # tickets that changed while the first message about them was sent
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
            {"id": delivery.id, "now": self._now, "via": batch.via} for delivery in batch.deliveries
        )
        if batch.is_update:
            return
        if batch.probe:
            self._add("dispatch_mark_active", id=batch.integration.id)
            self._add("dispatch_unpark", integration_id=batch.integration.id, now=self._now, limit=PARK_STEP)
        elif batch.integration.last_error:
            self._add("dispatch_set_last_error", id=batch.integration.id, reason="")

    def add_state_shown(self, batch: DeliveryBatch, outcome: StateShown, current_hash: str | None) -> None:
        """`current_hash` is that of the current state; None if the ticket was erased."""
        delivery = batch.deliveries[0]
        is_current = current_hash in (None, outcome.rendered_hash)
        if batch.is_update:
            self._add(
                "post_set_rendered",
                ticket_id=delivery.ticket_id,
                integration_id=delivery.integration_id,
                rendered_hash=outcome.rendered_hash,
            )
        elif outcome.ref and current_hash is not None:
            self._add(
                "post_insert",
                ticket_id=delivery.ticket_id,
                integration_id=delivery.integration_id,
                delivery_id=delivery.id,
                ref=outcome.ref,
                rendered_hash=outcome.rendered_hash,
                max_age=self._limits.max_age,
            )
            if not is_current:
                self.outdated_tickets.append(delivery.ticket_id)
        if batch.is_update and not is_current:
            self.reschedule_all(batch, reason="")
        else:
            self.add_delivered(batch)

    def add_failed_update(self, batch: DeliveryBatch, outcome: SendFailure, random: float) -> None:
        """Records the failure of an update, which says nothing about new messages: the integration stays active."""
        delivery = batch.deliveries[0]
        if outcome.kind == "gone":
            self._add("post_delete", ticket_id=delivery.ticket_id, integration_id=delivery.integration_id)
            self.drop_update(batch)
        elif outcome.kind == "permanent":
            self.add_retry(batch, SendRetry(None, outcome.reason), random)
        else:
            self.add_failure(batch, outcome)

    def drop_update(self, batch: DeliveryBatch) -> None:
        """Deletes an update that has nothing to send."""
        self._add("post_delete_update", id=batch.deliveries[0].id)

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
            self.pause(batch.integration, outcome.retry_after)

    def pause(self, integration: Integration, seconds: float) -> None:
        """Delays all deliveries to the integration, because the limits of a service apply to the whole webhook."""
        not_before = self._now + round(seconds * SECOND)
        pace = self._limits.of_type(integration.type).pace
        paced_at = pacing.paced_at_for(not_before, pace.per_second, pace.burst)
        self._add("dispatch_set_pace", id=integration.id, paced_at=paced_at)

    def add_failure(self, batch: DeliveryBatch, outcome: SendFailure) -> None:
        if outcome.kind == "permanent":
            self.reschedule_all(batch, reason=outcome.reason)
            self._schedule_probe(batch.integration, outcome.reason)
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
        if batch.is_update:
            return
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

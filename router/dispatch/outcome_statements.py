"""Records the outcomes of several batches, as statements of the outbox transaction.

Compares each outcome with the current integration, and a message that shows a state with the current state of its
ticket. A change of a ticket during the request is not lost: its post is updated again.

A late outcome is that of a process that has lost its lease: another process may have sent the delivery since. It
changes neither the integration nor an existing post, and schedules nothing. Only the attempt is recorded, and that a
message was sent; if a late edit may have changed the post, the post is updated again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import replace

from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess
from router.clock import SECOND
from router.dispatch import pacing, schedule
from router.dispatch.delivery_batch import (
    CompletedBatch,
    DeliveryBatch,
    NotSent,
    OutboxLimits,
    StateShown,
    outcome_name,
)
from router.dispatch.post_states import CurrentState, read_states
from router.model import Delivery, Integration, Micros
from router.store.database import Row, Statement, StatementGenerator
from router.store.post_updates import queue_updates

# Maximum number of deliveries that one transaction parks, ends or makes due, because other requests wait for it.
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
    "dispatch_delay_updates",
    "post_insert",
    "post_set_rendered",
    "post_delete",
    "post_delete_update",
    "post_hasten_update",
)


def record_outcomes(
    completed: Sequence[CompletedBatch],
    current_integrations: Mapping[str, Row],
    leased: Set[str],
    now: Micros,
    limits: OutboxLimits,
) -> StatementGenerator[None]:
    """Records what happened to each batch, and what follows for its deliveries, its integration and its post.

    The transaction has called `lock_tickets` before it locked the integrations.

    Args:
        current_integrations: The locked integrations by their ids. A deleted integration has none.
        leased: The ids of the integrations whose lease this process has. The outcomes of the others are late.
    """
    current_states = yield from read_states(completed)
    changes = _Changes(now, limits)
    for each in completed:
        batch, outcome = each.batch, each.outcome
        state = current_states.get(batch.deliveries[0].id)
        changes.add_attempts(each)
        current = current_integrations.get(batch.integration.id)
        if batch.integration.id not in leased:
            changes.add_late(batch, outcome, state, is_removed=current is None)
            continue
        if current is not None and current["hint"] == batch.integration.hint:  # the limit is not that of a new target
            changes.add_pause(batch, outcome)
        if isinstance(outcome, SendSuccess):
            changes.add_success(batch, outcome, state)
        elif _was_changed_meanwhile(batch, current):
            changes.reschedule_all(batch, reason=outcome.reason)
        elif batch.is_update:
            changes.add_failed_update(each, outcome, state)
        elif isinstance(outcome, SendRetry):
            changes.add_retry(each, outcome)
        else:
            changes.add_failure(batch, outcome)
    for query in _ORDER:
        if changes.rows[query]:
            # The rows of one statement are locked in the order of their ids, which avoids deadlocks. Rows without an id
            # need no order: their integrations are locked.
            yield Statement(query, sorted(changes.rows[query], key=lambda row: str(row.get("id", ""))))
    yield from queue_updates(changes.outdated_tickets, now)


def _post_key(delivery: Delivery) -> dict[str, object]:
    return {"ticket_id": delivery.ticket_id, "integration_id": delivery.integration_id}


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

    def add_pause(self, batch: DeliveryBatch, outcome: SendOutcome) -> None:
        """Delays what the service has limited: the changes of messages, or all deliveries to the webhook.

        Also delays updates after one that preceded messages.
        """
        requested = None
        if not isinstance(outcome, SendFailure):
            requested = outcome.retry_after if isinstance(outcome, SendRetry) else outcome.pause or None
        integration = batch.integration
        pace = self._limits.of_type(integration.type).pace
        not_before = self._now + round((requested or 0.0) * SECOND)
        if batch.precedes_messages or (batch.is_update and requested is not None):
            turn = pacing.MESSAGES_PER_UPDATE * pacing.send_interval(pace.per_second) if batch.precedes_messages else 0
            updates_after = max(not_before, self._now + turn)
            self._add("dispatch_delay_updates", id=integration.id, updates_after=updates_after)
        is_general = not batch.is_update or (isinstance(outcome, SendRetry) and outcome.is_global)
        if is_general and requested is not None:
            paced_at = pacing.paced_at_for(not_before, pace.per_second, pace.burst)
            self._add("dispatch_set_pace", id=integration.id, paced_at=paced_at)

    def add_late(
        self, batch: DeliveryBatch, outcome: SendOutcome, state: CurrentState | None, *, is_removed: bool
    ) -> None:
        """Records what a process has sent that has lost the lease, possibly after other attempts of the delivery."""
        if not batch.is_update:
            if isinstance(outcome, SendSuccess):
                if not is_removed and state is not None and state.post_hash is None:
                    self._add_post(batch, outcome, state)
                self._add_delivered(batch)
        elif not isinstance(outcome, SendFailure | NotSent):
            # Unique, so that it also differs for the process that sends this update now.
            unknown = f"unknown: {batch.deliveries[0].id} {batch.attempts[0]}"
            self._add("post_set_rendered", **_post_key(batch.deliveries[0]), rendered_hash=unknown)
            self.outdated_tickets.append(batch.deliveries[0].ticket_id)

    def add_success(self, batch: DeliveryBatch, outcome: SendSuccess, state: CurrentState | None) -> None:
        """`state` is None if the ticket was erased."""
        if batch.probe:
            self._reactivate(batch.integration)
        elif batch.integration.last_error and not batch.is_update:
            self._add("dispatch_set_last_error", id=batch.integration.id, reason="")
        if batch.is_update and state is not None:
            self._add("post_set_rendered", **_post_key(batch.deliveries[0]), rendered_hash=batch.state_hash)
            if state.was_changed_since(batch):
                self.reschedule_all(batch, reason="")
                return
        elif state is not None:
            self._add_post(batch, outcome, state)
        self._add_delivered(batch)

    def _add_post(self, batch: DeliveryBatch, outcome: SendSuccess, state: CurrentState) -> None:
        """Makes the message the post of its ticket, if it shows the state and can be changed."""
        if not isinstance(outcome, StateShown) or not outcome.ref:
            return
        delivery = batch.deliveries[0]
        self._add(
            "post_insert",
            **_post_key(delivery),
            delivery_id=delivery.id,
            ref=outcome.ref,
            rendered_hash=batch.state_hash,
            max_age=self._limits.max_age,
        )
        if state.rendered_hash != batch.state_hash:
            self.outdated_tickets.append(delivery.ticket_id)

    def _add_delivered(self, batch: DeliveryBatch) -> None:
        self.rows["dispatch_mark_delivered"] += (
            {"id": delivery.id, "now": self._now, "via": batch.via} for delivery in batch.deliveries
        )
        if not batch.is_update:
            self.rows["post_hasten_update"] += (
                {**_post_key(delivery), "now": self._now} for delivery in batch.deliveries if batch.has_post(delivery)
            )

    def add_failed_update(
        self, completed: CompletedBatch, outcome: SendRetry | SendFailure, state: CurrentState | None
    ) -> None:
        """Records the failure of an update, which says nothing about new messages: an active integration stays active.

        If the ticket was changed during the request, the changed state is tried at once.
        """
        batch = completed.batch
        delivery = batch.deliveries[0]
        is_gone = isinstance(outcome, SendFailure) and outcome.kind == "gone"
        if batch.probe and is_gone:  # the service accepted the webhook
            self._reactivate(batch.integration)
        elif batch.probe:
            self._schedule_probe(batch.integration, outcome)
        if is_gone:
            self._add("post_delete", **_post_key(delivery))
            self._add("post_delete_update", id=delivery.id)
        elif state is None:
            return  # the update was erased with the ticket
        elif state.was_changed_since(batch):
            self.reschedule_all(batch, reason=outcome.reason)
        elif isinstance(outcome, SendRetry) or outcome.kind == "permanent":
            retry = outcome if isinstance(outcome, SendRetry) else SendRetry(None, outcome.reason)
            # The waits depend on the time since the newest change, not on the attempts for earlier changes. The time in
            # the queue before the first attempt does not count as failures.
            attempts = min(schedule.attempts_within(self._now - state.changed_at), batch.attempts[0])
            self._add_next_attempt(completed, retry, replace(delivery, expires_at=state.expires_at), attempts)
        else:
            self.add_failure(batch, outcome)

    def add_retry(self, completed: CompletedBatch, outcome: SendRetry) -> None:
        batch = completed.batch
        self._add_error(batch, outcome)
        for delivery, attempts in zip(batch.deliveries, batch.attempts, strict=True):
            self._add_next_attempt(completed, outcome, delivery, attempts)

    def _add_next_attempt(
        self, completed: CompletedBatch, outcome: SendRetry, delivery: Delivery, attempts: int
    ) -> None:
        """Schedules the next attempt after `attempts` failed ones, or fails an expired delivery."""
        failed = 1 if isinstance(outcome, NotSent) else attempts
        due = schedule.next_attempt(failed, self._now, delivery.expires_at, outcome.retry_after, completed.random)
        if due is None and delivery.parked_at is None:
            self._add("dispatch_mark_dead", id=delivery.id, reason=f"failed permanently: {outcome.reason}")
        else:
            # Ignored for a parked delivery, unless it was unparked during the request.
            next_attempt_at = self._now if due is None else due
            self._reschedule(delivery.id, next_attempt_at, via=delivery.via, reason=outcome.reason)

    def add_failure(self, batch: DeliveryBatch, outcome: SendFailure) -> None:
        if outcome.kind == "permanent":
            for delivery in batch.deliveries:
                self._reschedule(delivery.id, self._now, via=delivery.via, reason=outcome.reason)
            self._schedule_probe(batch.integration, outcome)
        elif batch.form == "digest":
            # One entry can be the reason: each delivery is sent alone, and only a message that is rejected alone fails.
            self.reschedule_all(batch, via="message", reason=outcome.reason)
        elif outcome.kind == "gone" and batch.has_post(batch.deliveries[0]):
            # The lease ended too soon for the first message that replaces the post: the next attempt starts with it.
            self._add("post_delete", **_post_key(batch.deliveries[0]))
            self.reschedule_all(batch, via=batch.deliveries[0].via, reason=outcome.reason)
        elif outcome.kind == "payload" and batch.form == "message":
            self.reschedule_all(batch, via="text", reason=outcome.reason)
        else:
            for delivery in batch.deliveries:
                self._add("dispatch_mark_dead", id=delivery.id, reason=outcome.reason)
            self._add_error(batch, outcome)

    def reschedule_all(self, batch: DeliveryBatch, *, via: str = "", reason: str) -> None:
        for delivery in batch.deliveries:
            self._reschedule(delivery.id, self._now, via=via, reason=reason)

    def _reschedule(self, delivery_id: str, next_attempt_at: Micros, *, via: str, reason: str) -> None:
        self._add("dispatch_reschedule", id=delivery_id, next_attempt_at=next_attempt_at, via=via, reason=reason)

    def _add_error(self, batch: DeliveryBatch, outcome: SendRetry | SendFailure) -> None:
        if batch.is_update:
            return
        if batch.probe:
            self._schedule_probe(batch.integration, outcome)
        else:
            self._add("dispatch_set_last_error", id=batch.integration.id, reason=outcome.reason)

    def _reactivate(self, integration: Integration) -> None:
        self._add("dispatch_mark_active", id=integration.id)
        self._add("dispatch_unpark", integration_id=integration.id, now=self._now, limit=PARK_STEP)

    def _schedule_probe(self, integration: Integration, outcome: SendRetry | SendFailure) -> None:
        interval = schedule.next_probe_interval(integration.probe_interval)
        requested = outcome.retry_after if isinstance(outcome, SendRetry) else None
        self._add(
            "dispatch_mark_failing",
            id=integration.id,
            reason=outcome.reason,
            now=self._now,
            probe_interval=interval,
            probe_at=self._now + max(interval, round((requested or 0.0) * SECOND)),
        )

    def _add(self, query: str, **values: object) -> None:
        self.rows[query].append(values)

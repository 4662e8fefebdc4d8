"""The transaction of the outbox for several integration workers at once, as a statement generator.

It records the outcomes of the completed batches, extends or takes the leases, opens the next attempts, and reads what
they send. Its decisions depend only on its arguments and on values that the database returned in the same transaction.

It locks in this order: the tickets whose state was sent (FOR SHARE), the integrations of the group, their deliveries,
the attempts; the rows of one statement in the order of their ids. It never waits for a ticket or an integration: the
worker repeats its request. The deletion and the reactivation of an integration, the erasure of tickets and the release
of a dead process's leases lock in the same order. Deliveries of one ticket can be locked by several statements, so
deadlocks remain possible; the group is then split, and the other transaction is retried.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from router.contents.contents_transaction import read_contents
from router.dispatch import pacing
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, Form, OutboxLimits, PacingDelay
from router.dispatch.outcome_statements import PARK_STEP, record_outcomes
from router.dispatch.post_states import lock_tickets
from router.dispatch.selection import Selection, select_deliveries
from router.dispatch.ticket_notification import REPLY_EVENTS
from router.errors import RowLocked
from router.model import Integration, Micros
from router.store.database import Row, Statement, StatementGenerator, model_from_row

Claim = DeliveryBatch | PacingDelay | None

# Maximum number of superfluous updates of an integration that one claim deletes, because other requests wait for it.
SUPERFLUOUS_STEP = 20


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """What one integration worker asks for; a group has at most one request for each integration.

    Attributes:
        completed: The batch whose outcome is recorded.
        stop: Release the lease instead of opening attempts.
        weight: The cost of writing the request in bytes of content, which is negligible.
    """

    integration_id: str
    completed: CompletedBatch | None
    stop: bool
    weight: int = 0


@dataclass(frozen=True, slots=True)
class _Admitted:
    """An integration to which a batch may be sent now, and its next `paced_at`."""

    integration: Integration
    paced_at: Micros

    @property
    def is_probe(self) -> bool:
        return self.integration.status == "failing"


def claim_and_record(
    requests: Sequence[ClaimRequest], now: Micros, owner: str, limits: OutboxLimits
) -> StatementGenerator[list[Claim | RowLocked]]:
    """Records outcomes and opens attempts; returns the claim of each request, in the same order.

    A claim is None if the lease is not held afterwards. A request with an outcome gets `RowLocked`, and nothing of it
    is written, if another transaction has locked the integration, or the ticket whose state was sent.
    """
    waiting = yield from lock_tickets([each.completed for each in requests if each.completed is not None])
    unlocked = [each for each in requests if each.integration_id not in waiting]
    current, busy = yield from _lock_integrations(unlocked, now, owner, limits)
    free = [each for each in unlocked if each.integration_id not in busy]
    completed = [each.completed for each in free if each.completed is not None]
    leased = {id_ for id_, row in current.items() if row["lease_owner"] == owner}
    yield from record_outcomes(completed, current, leased, now, limits)
    claims = yield from _claim(free, now, owner, limits)
    return [claims[each.integration_id] if each.integration_id in claims else _refuse(each) for each in requests]


def _claim(
    requests: Sequence[ClaimRequest], now: Micros, owner: str, limits: OutboxLimits
) -> StatementGenerator[dict[str, Claim]]:
    """Takes, extends or releases the leases and opens attempts; returns the claims by the ids of the integrations."""
    integrations = yield from _take_leases(requests, now, owner, limits)
    first_claims = [each.integration_id for each in requests if each.completed is None]
    # An accept transaction that has read the status `failing` may commit after the reactivation and park its delivery,
    # and a reactivation makes only a part of many deliveries due.
    yield Statement(
        "dispatch_unpark",
        [
            {"integration_id": integration_id, "now": now, "limit": PARK_STEP}
            for integration_id in first_claims
            if integration_id in integrations and integrations[integration_id].status == "active"
        ],
    )
    unparked = yield from _park(integrations.values(), now)
    claims: dict[str, Claim] = {}
    admitted = []
    for request in requests:
        integration = integrations.get(request.integration_id)
        decision = None if integration is None else _admit(integration, now, limits)
        if request.integration_id in unparked:
            decision = PacingDelay(now)
        if isinstance(decision, _Admitted):
            admitted.append(decision)
        else:
            claims[request.integration_id] = decision
    claims |= yield from _open_batches(admitted, now, limits)
    yield Statement(
        "dispatch_release_lease",
        [{"id": request.integration_id, "owner": owner} for request in requests if not claims[request.integration_id]],
    )
    return claims


def _park(integrations: Iterable[Integration], now: Micros) -> StatementGenerator[set[str]]:
    """Parks deliveries of the failing integrations; returns the ids of those that may have more to park."""
    failing = [each.id for each in integrations if each.status == "failing"]
    rows = yield Statement(
        "dispatch_park", [{"integration_id": each, "now": now, "limit": PARK_STEP} for each in failing]
    )
    parked = Counter(row["integration_id"] for row in rows)
    return {each for each in failing if parked[each] == PARK_STEP}


def _lock_integrations(
    requests: Sequence[ClaimRequest], now: Micros, owner: str, limits: OutboxLimits
) -> StatementGenerator[tuple[dict[str, Row], set[str]]]:
    """Locks the integrations; returns the locked rows by id, and the ids of those that are locked elsewhere."""
    latest = limits.latest_plausible(now)
    rows = yield Statement(
        "dispatch_lock_integrations",
        [
            {
                "id": request.integration_id,
                "owner": owner,
                "now": now,
                "latest_plausible": latest,
                "has_outcome": int(request.completed is not None),
            }
            for request in requests
        ],
    )
    return {row["id"]: row for row in rows if row["is_locked"]}, {row["id"] for row in rows if not row["is_locked"]}


def _refuse(request: ClaimRequest) -> RowLocked | None:
    """Returns None for a claim without an outcome: the dispatcher finds the integration again with its next poll."""
    return None if request.completed is None else RowLocked("another transaction has locked the integration or ticket")


def _take_leases(
    requests: Sequence[ClaimRequest], now: Micros, owner: str, limits: OutboxLimits
) -> StatementGenerator[dict[str, Integration]]:
    """Takes or extends the leases; returns the integrations that are leased now, by id."""
    until, latest = now + limits.lease, limits.latest_plausible(now)
    rows = yield Statement(
        "dispatch_take_lease",
        [
            {"id": request.integration_id, "owner": owner, "now": now, "latest_plausible": latest, "until": until}
            for request in requests
            if not request.stop
        ],
    )
    return {row["id"]: model_from_row(Integration, row) for row in rows}


def _admit(integration: Integration, now: Micros, limits: OutboxLimits) -> _Admitted | PacingDelay | None:
    """Decides whether a batch may be sent now. A delay is at most `max_lease_wait`."""
    if integration.status == "failing" and (
        integration.probe_at is None or now < integration.probe_at <= limits.latest_plausible(now)
    ):
        return None
    pace = limits.of_type(integration.type).pace
    wait, paced_at = pacing.admit(integration.paced_at, now, pace.per_second, pace.burst)
    if not wait:
        return _Admitted(integration, paced_at)
    return PacingDelay(now + wait) if wait <= limits.max_lease_wait else None


def _open_batches(
    admitted: Sequence[_Admitted], now: Micros, limits: OutboxLimits
) -> StatementGenerator[dict[str, Claim]]:
    """Opens the next attempts; returns the batch of each integration by its id, None if no delivery is due.

    Deletes superfluous updates instead, which use no pace and precede no message. If there may be more of them, and no
    message is due, the integration is claimed again at once.
    """
    batches: dict[str, DeliveryBatch | None] = {}
    remaining = admitted
    for step in range(SUPERFLUOUS_STEP):
        is_last = step == SUPERFLUOUS_STEP - 1
        batches |= yield from _begin_attempts(remaining, now, limits, updates_precede=not is_last)
        superfluous = {id_: batch for id_, batch in batches.items() if batch is not None and batch.is_superfluous}
        remaining = [each for each in admitted if each.integration.id in superfluous]
        if not remaining:
            break
        yield Statement("post_delete_update", [{"id": batch.deliveries[0].id} for batch in superfluous.values()])
    opened = [batch for id_, batch in batches.items() if batch is not None and id_ not in superfluous]
    yield Statement(
        "dispatch_insert_attempt",
        [
            {"delivery_id": delivery.id, "n": n, "started_at": now}
            for batch in opened
            for delivery, n in zip(batch.deliveries, batch.attempts, strict=True)
        ],
    )
    paced = {each.integration.id: each.paced_at for each in admitted}
    yield Statement(
        "dispatch_set_pace",
        [{"id": batch.integration.id, "paced_at": paced[batch.integration.id]} for batch in opened],
    )
    again: dict[str, Claim] = dict.fromkeys(superfluous, PacingDelay(now))
    return dict.fromkeys(batches) | again | (yield from _read_contents(opened))


def _begin_attempts(
    admitted: Sequence[_Admitted], now: Micros, limits: OutboxLimits, *, updates_precede: bool
) -> StatementGenerator[dict[str, DeliveryBatch | None]]:
    """Selects and locks the next deliveries, and counts their attempts.

    Returns the batch of each integration by its id, None if no delivery is due.
    """
    integrations = [each.integration for each in admitted]
    selected = yield from select_deliveries(integrations, now, limits, updates_precede=updates_precede)
    deliveries = sorted(
        (delivery for each in selected.values() for delivery in each.deliveries), key=lambda each: each.id
    )
    begun = yield Statement(
        "dispatch_begin_attempt", [{"id": each.id, "until": now + limits.lease} for each in deliveries]
    )
    # Not `claims`: parking resets it while an attempt may be open.
    yield Statement(
        "dispatch_mark_lost", [{"delivery_id": each.id, "now": now} for each in deliveries if each.attempts]
    )
    attempts: dict[str, int] = {row["id"]: row["attempts"] for row in begun}
    # The deliveries are locked now: a later change of a ticket queues another update.
    rows = yield Statement("dispatch_notification", [{"delivery_id": delivery_id} for delivery_id in attempts])
    notifications = yield from _add_failures({row["delivery_id"]: row for row in rows})
    return {
        each.integration.id: _build_batch(each, selected[each.integration.id], attempts, notifications)
        for each in admitted
    }


def _add_failures(notifications: dict[str, Row]) -> StatementGenerator[dict[str, Row]]:
    """Adds the recipients to the rows that tell of replies which failed or bounced."""
    about_replies = [id_ for id_, row in notifications.items() if row["event"] in REPLY_EVENTS]
    if about_replies:
        failures = yield Statement("dispatch_reply_failures", [{"delivery_id": each} for each in about_replies])
        for id_ in about_replies:
            found = [row for row in failures if row["delivery_id"] == id_]
            notifications[id_] = {**notifications[id_], "failures": found}
    return notifications


def _read_contents(batches: Sequence[DeliveryBatch]) -> StatementGenerator[dict[str, Claim]]:
    """Returns the batches with the contents of their messages, by the id of the integration."""
    contents = yield from read_contents([batch.deliveries[0].message_id for batch in batches if batch.form != "digest"])
    return {
        batch.integration.id: replace(
            batch,
            stored_contents=None if batch.form == "digest" else contents.get(batch.deliveries[0].message_id),
        )
        for batch in batches
    }


def _build_batch(
    admitted: _Admitted,
    selected: Selection,
    attempts: Mapping[str, int],
    notifications: Mapping[str, Row],
) -> DeliveryBatch | None:
    """Returns the batch of the deliveries whose attempts were opened, or None if there are none.

    Between the statements, another transaction may have erased or changed a delivery.
    """
    deliveries = tuple(delivery for delivery in selected.deliveries if delivery.id in attempts)
    if not deliveries:
        return None
    form: Form = "text" if deliveries[0].via == "text" else "message"
    return DeliveryBatch(
        admitted.integration,
        deliveries,
        tuple(attempts[delivery.id] for delivery in deliveries),
        "digest" if len(deliveries) > 1 else form,
        admitted.is_probe,
        selected.precedes_messages,
        {each.id: notifications[each.id] for each in deliveries if each.id in notifications},
    )

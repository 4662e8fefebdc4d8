"""Selects the deliveries of the next batches, as statements of the outbox transaction."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from router.dispatch import pacing
from router.dispatch.delivery_batch import OutboxLimits
from router.model import Delivery, Integration, Micros
from router.store.database import Statement, StatementGenerator, model_from_row


@dataclass(frozen=True, slots=True)
class Selection:
    """The deliveries of the next batch. `precedes_messages` is that of the batch."""

    deliveries: Sequence[Delivery] = ()
    precedes_messages: bool = False


def select_deliveries(
    integrations: Sequence[Integration], now: Micros, limits: OutboxLimits, *, updates_precede: bool
) -> StatementGenerator[dict[str, Selection]]:
    """Selects the deliveries of the next batches, by the id of the integration.

    Fails the deliveries that were claimed too often, and selects again.

    Args:
        updates_precede: Whether an update that has waited too long precedes messages.
    """
    selected = {each.id: Selection() for each in integrations}
    remaining = integrations
    while remaining:
        found = yield from _read_deliveries(remaining, now, limits, updates_precede=updates_precede)
        exhausted = [
            delivery for each in found.values() for delivery in each.deliveries if delivery.claims >= limits.max_claims
        ]
        selected |= found
        if not exhausted:
            break
        yield Statement(
            "dispatch_mark_exhausted",
            [
                {
                    "id": delivery.id,
                    "max_claims": limits.max_claims,
                    "reason": f"failed permanently: claimed {delivery.claims} times without an outcome",
                }
                for delivery in exhausted
            ],
        )
        yield Statement("dispatch_mark_lost", [{"delivery_id": delivery.id, "now": now} for delivery in exhausted])
        again = {delivery.integration_id for delivery in exhausted}
        remaining = [each for each in remaining if each.id in again]
    return selected


def _read_deliveries(
    integrations: Sequence[Integration], now: Micros, limits: OutboxLimits, *, updates_precede: bool
) -> StatementGenerator[dict[str, Selection]]:
    """Reads one delivery of a failing integration, and the next batch of the others."""
    latest = limits.latest_plausible(now)
    due = yield Statement(
        "dispatch_due_deliveries",
        [
            {
                "integration_id": each.id,
                "now": now,
                "digest_after": limits.digest_after,
                "digest_limit": limits.of_type(each.type).digest_limit,
                "updates_now": -1 if now < each.updates_after <= latest else now,
            }
            for each in integrations
            if each.status != "failing"
        ],
    )
    probed = yield Statement(
        "dispatch_probe_delivery", [{"integration_id": each.id} for each in integrations if each.status == "failing"]
    )
    found: dict[str, list[Delivery]] = {each.id: [] for each in integrations}
    for row in (*due, *probed):
        found[row["integration_id"]].append(model_from_row(Delivery, row))
    waiting_since = now - pacing.MAX_UPDATE_WAIT if updates_precede else 0
    return {integration_id: _select_batch(each, waiting_since) for integration_id, each in found.items()}


def _select_batch(due: Sequence[Delivery], waiting_since: Micros) -> Selection:
    """Selects an update that was due at `waiting_since`, or else the oldest message and those that can be sent with it.

    `via` of a pending delivery is the form that it must have. Such a delivery is in no digest.

    Args:
        due: The oldest due deliveries, at most one of them an update.
    """
    messages = [each for each in due if each.event != "updated"]
    updates = [each for each in due if each.event == "updated"]
    if updates and (not messages or (updates[0].next_attempt_at or math.inf) <= waiting_since):
        return Selection(updates, precedes_messages=bool(messages))
    if messages and not messages[0].via:
        return Selection([each for each in messages if not each.via])
    return Selection(messages[:1])

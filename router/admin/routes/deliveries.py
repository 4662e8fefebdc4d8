"""Deliveries to integrations and smarthosts, their attempts, and replay.

A replay makes a delivery due now and restarts its `max_age`. A replay to a failing integration acts as a probe. The
replay of a reply sends it again to its recipient.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace

from router.admin import audit, validation
from router.admin.fetch import fetch_by_id, fetch_page, find_ticket_id
from router.admin.paging import DEFAULT_LIMIT, Page
from router.clock import Clock
from router.dispatch.submission_states import ReplyChange, update_replies
from router.enumerations import REPLAYABLE_STATE
from router.errors import Refused
from router.filters import DeliveryFilter
from router.model import Actor, Attempt, Delivery, Integration, Micros, Ticket
from router.ports import Waker
from router.store.database import (
    Database,
    QueryExecutor,
    Row,
    fetch_model,
    fetch_models,
    retry_on_conflict,
    run_statements,
)

MAX_ATTEMPTS = 200
# One transaction replays at most this many deliveries.
MAX_REPLAYED = 10_000
_ALL_DELIVERIES = DeliveryFilter()
_RETRY_REFUSALS = {
    "delivered": "has already been handed over",
    "dead": "was sent to another address instead: send it again from its ticket",
}


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """A delivery and up to `MAX_ATTEMPTS` of its newest attempts, in chronological order."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


class DeliveryService:
    """Lists and replays deliveries. `max_age` is the setting `[delivery] max_age`."""

    def __init__(self, database: Database, clock: Clock, wake: Waker, *, max_age: Micros) -> None:
        self._database = database
        self._clock = clock
        self._wake = wake
        self._max_age = max_age

    async def list(
        self,
        actor: Actor,
        delivery_filter: DeliveryFilter = _ALL_DELIVERIES,
        *,
        limit: int = DEFAULT_LIMIT,
        cursor: str | None = None,
    ) -> Page[Delivery]:
        """Lists deliveries, newest first. The filter may have the number of a ticket in place of its id."""
        if delivery_filter.ticket_id is not None:
            ticket_id = await find_ticket_id(self._database, actor, delivery_filter.ticket_id)
            delivery_filter = replace(delivery_filter, ticket_id=ticket_id)
        page = await fetch_page(
            self._database, actor, Delivery, "delivery_page", limit=limit, cursor=cursor, **delivery_filter.parameters()
        )
        return replace(page, items=await _with_replies(self._database, page.items))

    async def get(self, actor: Actor, delivery_id: str) -> DeliveryView:
        delivery = await fetch_by_id(self._database, actor, Delivery, "delivery_by_id", delivery_id)
        attempts = await fetch_models(
            self._database, Attempt, "delivery_attempts", delivery_id=delivery.id, limit=MAX_ATTEMPTS
        )
        (with_reply,) = await _with_replies(self._database, [delivery])
        return DeliveryView(with_reply, tuple(attempts[::-1]))

    @retry_on_conflict
    async def replay(self, actor: Actor, delivery_id: str) -> Delivery:
        """Makes a delivery due now.

        Raises `conflict` if it was delivered, is being sent, is held as spam or its ticket is, waits for the sender
        checks, has no integration, or is a reply that was handed over.
        """
        validation.validate_id(delivery_id, "dlv", "Delivery")
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            row = await transaction.fetch_one(
                "delivery_replay",
                id=delivery_id,
                workspace_id=actor.workspace_id,
                now=now,
                expires_at=now + self._max_age,
            )
            delivery = await fetch_by_id(transaction, actor, Delivery, "delivery_by_id", delivery_id)
            (delivery,) = await _with_replies(transaction, [delivery])
            if delivery.target == "smarthost":
                await self._retry_reply(transaction, actor, delivery, now)
            elif row is None:
                raise await _replay_refusal(transaction, actor, delivery)
            else:
                await transaction.execute("integration_probe_now", id=delivery.integration_id, now=now)
            await audit.record(transaction, actor, now, "delivery.replay", delivery.id)
        if delivery.target == "smarthost":
            self._wake.wake_submissions()
        else:
            self._wake.wake([delivery.integration_id])
        return delivery

    async def _retry_reply(self, transaction: QueryExecutor, actor: Actor, delivery: Delivery, now: Micros) -> None:
        """Queues a reply to a recipient again. Locks its ticket, like all that changes the states of replies."""
        await transaction.fetch_one("ticket_lock", id=delivery.ticket_id, workspace_id=actor.workspace_id)
        await transaction.execute("smarthost_probe_now", id=delivery.integration_id, now=now)
        retried = await transaction.fetch_one(
            "delivery_retry_reply",
            id=delivery.id,
            workspace_id=actor.workspace_id,
            now=now,
            expires_at=now + self._max_age,
        )
        if retried is None or delivery.reply_id is None:
            raise Refused("conflict", f"This reply {_RETRY_REFUSALS.get(delivery.state, 'is being sent now')}")
        await transaction.execute("delivery_queue_recipient", delivery_id=delivery.id)
        await run_statements(transaction, update_replies([ReplyChange(delivery.reply_id)]))

    @retry_on_conflict
    async def replay_many(self, actor: Actor, *, integration_id: str | None = None, state: str | None = None) -> int:
        """Makes up to `MAX_REPLAYED` posts due now, and returns their number. Tickets held as spam are left out.

        `state` is `dead` (the default) or `pending`. Without `integration_id`, all integrations are included.
        """
        replayed_state = REPLAYABLE_STATE.parse("dead" if state is None else state)
        if integration_id is not None:
            integration = await fetch_model(
                self._database,
                Integration,
                "integration_by_id",
                id=integration_id,
                workspace_id=actor.workspace_id,
            )
            if integration is None:
                raise Refused("invalid_integration", "Integration not found", "integrationId")
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            rows: list[Row] = list(
                await transaction.fetch_all(
                    "delivery_replay_many",
                    workspace_id=actor.workspace_id,
                    integration_id=integration_id,
                    state=replayed_state,
                    now=now,
                    expires_at=now + self._max_age,
                    limit=MAX_REPLAYED,
                )
            )
            integrations = sorted({row["integration_id"] for row in rows})
            for woken_id in integrations:
                await transaction.execute("integration_probe_now", id=woken_id, now=now)
            await audit.record(
                transaction,
                actor,
                now,
                "delivery.replay",
                integration_id or actor.workspace_id,
                state=replayed_state,
                replayed=len(rows),
            )
        self._wake.wake(integrations)
        return len(rows)


async def _with_replies(executor: QueryExecutor, deliveries: Sequence[Delivery]) -> tuple[Delivery, ...]:
    """Returns the deliveries with the ids of their replies."""
    ids = json.dumps([each.id for each in deliveries if each.target == "smarthost"])
    rows = () if ids == "[]" else await executor.fetch_all("delivery_replies", ids=ids)
    replies = {row["delivery_id"]: row["reply_id"] for row in rows}
    return tuple(replace(each, reply_id=replies.get(each.id)) for each in deliveries)


async def _replay_refusal(transaction: QueryExecutor, actor: Actor, delivery: Delivery) -> Refused:
    if delivery.state == "delivered":
        return Refused("conflict", "This delivery has already been delivered")
    if delivery.state == "spam":
        return Refused("conflict", 'This delivery is held as spam: choose "Not spam" on its ticket to post it')
    ticket = await fetch_model(
        transaction, Ticket, "ticket_by_id", id=delivery.ticket_id, workspace_id=actor.workspace_id
    )
    if ticket is not None and ticket.spam and delivery.event != "updated":
        return Refused("conflict", 'The ticket of this delivery is held as spam: choose "Not spam" on it first')
    if delivery.awaiting is not None:
        return Refused("conflict", "This delivery waits for the sender checks, for a few seconds at most")
    integration = await transaction.fetch_one(
        "integration_by_id", id=delivery.integration_id, workspace_id=actor.workspace_id
    )
    if integration is None:
        return Refused("conflict", "The integration of this delivery was removed")
    return Refused("conflict", "This delivery is being sent now")

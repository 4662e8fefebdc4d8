"""Models of deliveries and attempts."""

from __future__ import annotations

from typing import Annotated, Any, Self

from api.schema.shape import Answer, Body, NextCursor, Time, documented, filter_parameters
from router.admin.routes.deliveries import DeliveryView
from router.enumerations import REPLAYABLE_STATE, DeliveryState
from router.filters import DeliveryFilter
from router.model import Attempt, Delivery


class DeliveryAnswer(Answer):
    """Delivery of a ticket event to an integration.

    `parked`: whether the delivery waits until its failing integration works again.
    """

    id: str
    ticket_id: str
    message_id: str
    integration_id: str
    event: str
    state: DeliveryState
    attempts: int
    next_attempt_at: Time | None
    parked: bool
    delivered_at: Time | None
    via: str
    last_error: str
    created_at: Time

    @classmethod
    def from_model(cls, delivery: Delivery) -> Self:
        return cls(**_delivery_fields(delivery))


def _delivery_fields(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "ticket_id": delivery.ticket_id,
        "message_id": delivery.message_id,
        "integration_id": delivery.integration_id,
        "event": delivery.event,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "next_attempt_at": delivery.next_attempt_at,
        "parked": delivery.parked_at is not None,
        "delivered_at": delivery.delivered_at,
        "via": delivery.via,
        "last_error": delivery.last_error,
        "created_at": delivery.created_at,
    }


class DeliveryList(Answer):
    """A page of deliveries."""

    deliveries: list[DeliveryAnswer]
    next_cursor: NextCursor = None


class AttemptAnswer(Answer):
    """A delivery attempt.

    `status` is the HTTP status, null without a response. `outcome` is `open` while the attempt runs.
    """

    n: int
    at: Time
    finished_at: Time | None
    outcome: str
    status: int | None
    latency_ms: int | None
    answer: str

    @classmethod
    def from_model(cls, attempt: Attempt) -> Self:
        return cls(
            n=attempt.n,
            at=attempt.started_at,
            finished_at=attempt.finished_at,
            outcome=attempt.outcome,
            status=attempt.status,
            latency_ms=None if attempt.latency is None else attempt.latency // 1000,
            answer=attempt.answer,
        )


class DeliveryDetail(DeliveryAnswer):
    """A delivery with its latest 200 attempts, oldest first."""

    attempt_list: list[AttemptAnswer]
    expires_at: Time

    @classmethod
    def from_view(cls, view: DeliveryView) -> Self:
        return cls(
            **_delivery_fields(view.delivery),
            attempt_list=[AttemptAnswer.from_model(attempt) for attempt in view.attempts],
            expires_at=view.delivery.expires_at,
        )


DeliveryListParameters = filter_parameters(
    "DeliveryListParameters", "Parameters of the list of deliveries.", DeliveryFilter
)


class Replay(Body):
    """Deliveries to retry.

    Without `state`, these are dead deliveries; without `integrationId`, deliveries of all integrations.
    """

    integration_id: str | None = None
    state: Annotated[str, documented(REPLAYABLE_STATE)] | None = None


class Replayed(Answer):
    """Number of deliveries queued for a retry."""

    replayed: int

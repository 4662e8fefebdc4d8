"""Models of deliveries and attempts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from api.schema.shape import Answer, Body, Milliseconds, NextCursor, Time, documented, filter_parameters
from router.admin.routes.deliveries import DeliveryView
from router.enumerations import REPLAYABLE_STATE, DeliveryState
from router.filters import DeliveryFilter


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


class DeliveryList(Answer):
    """A page of deliveries."""

    deliveries: list[DeliveryAnswer]
    next_cursor: NextCursor = None


class AttemptAnswer(Answer):
    """A delivery attempt.

    `status` is the HTTP status, null without a response. `outcome` is `open` while the attempt runs.
    """

    n: int
    at: Time = Field(validation_alias="started_at")
    finished_at: Time | None
    outcome: str
    status: int | None
    latency_ms: Milliseconds | None = Field(validation_alias="latency")
    answer: str


class DeliveryDetail(DeliveryAnswer):
    """A delivery with its latest 200 attempts, oldest first."""

    attempt_list: list[AttemptAnswer]
    expires_at: Time

    @classmethod
    def from_view(cls, view: DeliveryView) -> Self:
        return cls.from_model(view.delivery, attempt_list=view.attempts)


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

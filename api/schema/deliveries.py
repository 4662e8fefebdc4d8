"""Models of deliveries and attempts."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field

from api.schema.shape import Answer, Body, Milliseconds, NextCursor, PageParameters, Time, documented, filter_parameters
from router.admin.routes.deliveries import DeliveryView
from router.enumerations import REPLAYABLE_STATE, Awaiting, DeliveryState, DeliveryTarget
from router.filters import DeliveryFilter


class DeliveryAnswer(Answer):
    """Delivery of a ticket event to an integration, or of a reply to one recipient."""

    id: str
    """Id of the delivery (`dlv_...`)."""
    ticket_id: str
    """Ticket that the delivery is about."""
    message_id: str
    """Message that opened the ticket or joined it; for a reply and for posts about it, the message of the reply."""
    integration_id: str | None = Field(validation_alias="posted_to")
    """Integration that the delivery is posted to; null for a reply."""
    reply_id: str | None
    """Reply that is sent (`rpl_...`); null for a post."""
    event: str
    """What is posted: `opened` (new ticket), `replied` (new message), `updated` (changed ticket), `reply_failed` or
    `reply_bounced` (a reply did not reach a recipient); `reply` for a reply.
    """
    state: DeliveryState
    """`pending` until it is delivered or failed permanently (`dead`); `spam` while its ticket is held as spam."""
    awaiting: Awaiting | None
    """What a pending delivery waits for, until `nextAttemptAt` at the latest; null if it waits for nothing."""
    target: DeliveryTarget
    """`integration` for a post, `smarthost` for a reply."""
    attempts: int
    """Number of attempts that were started."""
    next_attempt_at: Time | None
    """When the next attempt is due; null if none is planned."""
    parked: bool
    """Whether the delivery waits until its failing integration or smarthost works again."""
    delivered_at: Time | None
    """When the integration accepted it, or the smarthost took it over; null before that."""
    via: str
    """Form of the post: `message`, `text` (plain text), `digest` (with other tickets) or `update`. For a pending
    delivery, the form of the next attempt; empty if any form is possible.
    """
    last_error: str
    """Reason of the last failure; empty if there was none."""
    created_at: Time
    """When the delivery was queued."""


class DeliveryList(Answer):
    """A page of deliveries."""

    deliveries: list[DeliveryAnswer]
    """Deliveries, newest first."""
    next_cursor: NextCursor = None


class AttemptAnswer(Answer):
    """A delivery attempt."""

    n: int
    """Number of the attempt, from 1."""
    at: Time = Field(validation_alias="started_at")
    """When the attempt started."""
    finished_at: Time | None
    """When it ended; null while it runs."""
    outcome: str
    """`open` while the attempt runs. Then `sent`, `retry` (temporary error), `parked` (the integration or smarthost
    is failing), `refused` (format rejected), `rejected`, or `lost` if the process stopped during the attempt.
    """
    status: int | None
    """HTTP status of the response, or the reply code of a smarthost; null without a response."""
    latency_ms: Milliseconds | None = Field(validation_alias="latency")
    """Time until the response, in milliseconds; null without a response."""
    answer: str
    """Start of the response body or the answer of the smarthost, or the reason of a failure without a response."""


class DeliveryDetail(DeliveryAnswer):
    """A delivery with its latest 200 attempts, oldest first."""

    attempt_list: list[AttemptAnswer]
    """Latest 200 attempts, oldest first."""
    expires_at: Time
    """When the delivery fails permanently if it has not been delivered by then."""

    @classmethod
    def from_view(cls, view: DeliveryView) -> Self:
        return cls.from_model(view.delivery, attempt_list=view.attempts)


DeliveryListParameters = filter_parameters(
    "DeliveryListParameters", "Parameters of the list of deliveries.", DeliveryFilter, PageParameters
)


class Replay(Body):
    """Posts to retry. A reply is retried by its own call."""

    integration_id: str | None = None
    """Retry only deliveries to this integration; null for all integrations."""
    state: Annotated[str, documented(REPLAYABLE_STATE)] | None = None
    """Retry deliveries in this state; null for `dead`."""


class Replayed(Answer):
    """Number of deliveries queued for a retry."""

    replayed: int
    """Number of deliveries queued for a retry, at most 10,000."""

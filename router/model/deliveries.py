"""Deliveries and their attempts."""

from __future__ import annotations

from dataclasses import dataclass, field

from router.enumerations import Awaiting, DeliveryEvent, DeliveryState, DeliveryTarget
from router.model.time import Micros


@dataclass(frozen=True, slots=True)
class Delivery:
    """A ticket event to be posted to an integration, or a reply to be sent to one recipient; a row of the outbox.

    Attributes:
        integration_id: The id of the integration; with the target `smarthost`, that of the smarthost.
        reply_id: The reply that is sent, if lists read it.
        awaiting: What a pending delivery waits for, until `next_attempt_at` at the latest.
        released: 1 if the ticket was held as spam, and released by a person.
    """

    id: str
    workspace_id: str
    ticket_id: str
    message_id: str
    integration_id: str
    event: DeliveryEvent
    created_at: Micros
    expires_at: Micros
    next_attempt_at: Micros | None
    parked_at: Micros | None = None
    state: DeliveryState = "pending"
    attempts: int = 0
    claims: int = 0
    delivered_at: Micros | None = None
    via: str = ""
    last_error: str = ""
    awaiting: Awaiting | None = None
    released: int = 0
    target: DeliveryTarget = "integration"
    reply_id: str | None = field(default=None, metadata={"related": True})

    @property
    def posted_to(self) -> str | None:
        """Returns the id of the integration; None if the delivery is sent to a smarthost."""
        return None if self.target == "smarthost" else self.integration_id

    @property
    def parked(self) -> bool:
        """Whether the delivery waits until its failing integration works again."""
        return self.parked_at is not None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send a delivery, recorded with the outcome `open` before the request, and updated afterwards.

    `latency` is in microseconds. `answer` is the start of the response body, or else the reason of the failure. Of
    an attempt at a smarthost, `owner` is the process that makes it, and `final_dot_at` is when it was about to end the
    data: since then, the message may have been accepted.
    """

    delivery_id: str
    n: int
    started_at: Micros
    finished_at: Micros | None
    outcome: str
    status: int | None
    latency: int | None
    answer: str
    owner: str = ""
    final_dot_at: Micros | None = None

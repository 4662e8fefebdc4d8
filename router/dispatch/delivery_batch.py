"""The values that the outbox and its transactions exchange. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from router.channels.channel import Channel
from router.channels.contract import Pace, SendFailure, SendOutcome, SendRetry, SendSuccess
from router.dispatch import pacing, ticket_state
from router.model import Delivery, Integration, Micros
from router.store.database import Row

# A rich message, plain text after the rich message was rejected, or a digest.
Form = Literal["message", "text", "digest"]


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """The deliveries of one request: a single one, or several in a digest.

    Attributes:
        attempts: The attempt number of each delivery, in the same order.
        probe: Whether the batch tests a failing integration.
        precedes_messages: Whether the batch is an update that is sent although messages are due.
        notifications: The row of `dispatch_notification` of each delivery by its id. A delivery has none if its message
            was erased.
        stored_contents: Unless the batch is a digest, the row of the message for `ContentStore.complete`.
    """

    integration: Integration
    deliveries: tuple[Delivery, ...]
    attempts: tuple[int, ...]
    form: Form
    probe: bool
    precedes_messages: bool
    notifications: Mapping[str, Row] = field(default_factory=dict, repr=False)
    stored_contents: Row | None = field(default=None, repr=False)

    @property
    def is_update(self) -> bool:
        """Whether the request changes a post. An update is never in a digest."""
        return self.deliveries[0].event == "updated"

    @property
    def state_hash(self) -> str:
        """Returns the hash of the state of the ticket in the batch; "" if the ticket was erased."""
        row = self.notifications.get(self.deliveries[0].id)
        return "" if row is None else ticket_state.hash_row(row)

    @property
    def post_hash(self) -> str | None:
        """Returns the hash of the state that the post showed at the claim; None without a post."""
        row = self.notifications.get(self.deliveries[0].id)
        post_hash: str | None = None if row is None else row["rendered_hash"]
        return post_hash

    def has_post(self, delivery: Delivery) -> bool:
        """Whether the ticket of the delivery had a post at the integration before the request."""
        row = self.notifications.get(delivery.id)
        return row is not None and row["post_ref"] is not None

    @property
    def is_superfluous(self) -> bool:
        """Whether this is an update of a post that shows the current state, or that no longer exists.

        After an earlier attempt, the state that the post shows is uncertain: the service may have executed it without
        a recorded response.
        """
        is_erased = self.deliveries[0].id not in self.notifications
        shown = (None, self.state_hash) if self.attempts[0] == 1 else (None,)
        return self.is_update and not is_erased and self.post_hash in shown

    @property
    def via(self) -> str:
        """Returns how the deliveries are sent, as in the API."""
        return "update" if self.is_update else self.form


@dataclass(frozen=True, slots=True)
class StateShown(SendSuccess):
    """The message shows the state of the ticket that the batch contains."""


@dataclass(frozen=True, slots=True)
class NotSent(SendRetry):
    """Nothing was sent, for a temporary reason in this installation.

    Only the first wait of the schedule applies, because the later waits are for failing endpoints.
    """


@dataclass(frozen=True, slots=True)
class PacingDelay:
    """Nothing is sent before `until`; the lease is kept."""

    until: Micros


@dataclass(frozen=True, slots=True)
class CompletedBatch:
    """A batch with its outcome. `random`, in [0, 1), determines the jitter."""

    batch: DeliveryBatch
    outcome: SendOutcome
    random: float


@dataclass(frozen=True, slots=True)
class TypeLimits:
    """The limits of each integration of one type: its pace, and the maximum number of entries in a digest."""

    pace: Pace
    digest_limit: int


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Settings of `[delivery]`.

    Attributes:
        max_age: How long a delivery is retried.
        max_lease_wait: The longest pacing delay for which a lease is kept.
        own_limits: The limits of each supported integration type.
    """

    per_second: float
    burst: int
    digest_after: int
    lease: Micros
    max_age: Micros
    max_claims: int
    max_lease_wait: Micros
    own_limits: Mapping[str, TypeLimits]

    @property
    def pace(self) -> Pace:
        return Pace(self.per_second, self.burst)

    def latest_plausible(self, now: Micros) -> Micros:
        """Returns the latest plausible time of a lease or probe; later times come from a wrong clock."""
        return now + self.lease + pacing.MAX_AHEAD

    def of_type(self, integration_type: str) -> TypeLimits:
        """Returns the limits of a type. A type that is not supported has the pace of `[delivery]`."""
        return self.own_limits.get(integration_type) or TypeLimits(self.pace, digest_limit=1)

    def types_by_own_pace(self) -> dict[Pace, list[str]]:
        """Returns the types whose pace is not that of `[delivery]`, by their pace."""
        by_pace: dict[Pace, list[str]] = {}
        for integration_type, limits in self.own_limits.items():
            if limits.pace != self.pace:
                by_pace.setdefault(limits.pace, []).append(integration_type)
        return by_pace


def channel_limits(channel: Channel, pace: Pace) -> TypeLimits:
    """Returns the limits of a channel: the lower rate and burst of its own pace and that of `[delivery]`."""
    own = channel.pace or pace
    lower = Pace(min(own.per_second, pace.per_second), min(own.burst, pace.burst))
    return TypeLimits(lower, channel.digest_limit)


def outcome_name(outcome: SendOutcome) -> str:
    """Returns the name of an outcome in the API."""
    match outcome:
        case SendSuccess():
            return "sent"
        case SendRetry():
            return "retry"
        case SendFailure(kind="permanent"):
            return "parked"
        case SendFailure(kind="payload"):
            return "refused"
        case _:
            return "rejected"

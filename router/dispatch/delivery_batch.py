"""The values that the outbox and its transactions exchange. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess
from router.model import Delivery, Integration, Micros

# A rich message, plain text after the rich message was rejected, or a digest.
Form = Literal["message", "text", "digest"]


@dataclass(frozen=True, slots=True)
class DeliveryBatch:
    """The deliveries of one request: a single one, or several in a digest.

    `attempts` contains the attempt number of each delivery, in the same order. A `probe` tests a failing integration.
    """

    integration: Integration
    deliveries: tuple[Delivery, ...]
    attempts: tuple[int, ...]
    form: Form
    probe: bool


@dataclass(frozen=True, slots=True)
class NotSent(SendRetry):
    """Nothing was sent, for a temporary reason in this installation.

    Only the first wait of the schedule applies, because the later waits are for failing endpoints.
    """


@dataclass(frozen=True, slots=True)
class PacingDelay:
    """Nothing may be sent before `until`; the lease is kept."""

    until: Micros


@dataclass(frozen=True, slots=True)
class CompletedBatch:
    """A batch with its outcome. `random`, in [0, 1), determines the jitter."""

    batch: DeliveryBatch
    outcome: SendOutcome
    random: float


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """Settings of `[delivery]`, and `max_lease_wait`, the longest pacing delay for which a lease is kept."""

    per_second: float
    burst: int
    digest_after: int
    lease: Micros
    max_claims: int
    max_lease_wait: Micros


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

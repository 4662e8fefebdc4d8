"""Models of the statistics and the delivery status of a workspace."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field

from api.schema.shape import Answer, Milliseconds, Seconds, Time
from router.admin.installation.health import Health
from router.admin.installation.overview import Overview
from router.enumerations import DomainStatus, IntegrationStatus


class DayAnswer(Answer):
    """Counts of a day in UTC. `dead`: permanently failed deliveries of the day's messages."""

    date: date
    mails: int = Field(validation_alias="messages")
    tickets: int
    dead: int


class OpenAnswer(Answer):
    """Unresolved tickets by status."""

    open: int
    in_progress: int
    waiting: int


class AliasOpenAnswer(OpenAnswer):
    """Unresolved tickets of an alias by status."""

    alias_id: str
    alias: str = Field(validation_alias="address")


class DurationAnswer(Answer):
    """Durations in seconds, null without measurements. `count` is the number of measurements."""

    count: int
    median_seconds: Seconds | None = Field(validation_alias="median")
    p90_seconds: Seconds | None = Field(validation_alias="percentile")


class LatencyAnswer(Answer):
    """Time from accepting a message to the response of the integration, in milliseconds."""

    count: int
    median_ms: Milliseconds | None = Field(validation_alias="median")
    p95_ms: Milliseconds | None = Field(validation_alias="percentile")


class OverviewAnswer(Answer):
    """Statistics of the workspace.

    `days`: the last 30 days, oldest first. `now`: unresolved tickets. `byAlias`: aliases with unresolved tickets,
    largest number first. `claim`, `resolve` and `delivery` cover the same days; with many tickets or
    messages, they are estimated from a sample. `capped`: whether a count stopped at its limit, so that the real
    value may be higher.
    """

    days: list[DayAnswer]
    now: OpenAnswer
    unassigned: int
    by_alias: list[AliasOpenAnswer]
    claim: DurationAnswer
    resolve: DurationAnswer
    delivery: LatencyAnswer
    capped: bool

    @classmethod
    def from_overview(cls, overview: Overview) -> Self:
        by_alias = [AliasOpenAnswer.from_model(entry, entry.tickets) for entry in overview.by_alias]
        return cls.from_model(overview, by_alias=by_alias)


class DelivererAnswer(Answer):
    """Status of the delivery processes.

    `alive`: whether any of the processes reported within the last ten minutes. `seenAt`: the time of the last report.
    """

    alive: bool = Field(validation_alias="deliverer_alive")
    seen_at: Time | None = Field(validation_alias="deliverer_seen_at")


class QueueAnswer(Answer):
    """Numbers of queued, parked and permanently failed deliveries.

    `parked`: deliveries that wait until their failing integration works again. `oldestAt`: when the message of
    the oldest queued or parked delivery was received.
    """

    waiting: int
    parked: int
    dead: int
    oldest_at: Time | None


class TroubleAnswer(Answer):
    """A failing integration, or an active one whose last delivery or test failed."""

    id: str
    name: str
    status: IntegrationStatus
    last_error: str
    failing_since: Time | None
    next_probe_at: Time | None = Field(validation_alias="probe_at")


class DoubtAnswer(Answer):
    """A domain that is unverified or has missing records.

    `misses`: consecutive automatic checks that found no correct record.
    """

    id: str
    domain: str = Field(validation_alias="name")
    status: DomainStatus
    misses: int
    missing_since: Time | None
    checked_at: Time | None


class HealthAnswer(Answer):
    """Delivery status of the workspace.

    `integrations` and `domains` list at most 50 integrations and 50 domains with problems.
    """

    deliverer: DelivererAnswer
    queue: QueueAnswer
    integrations: list[TroubleAnswer] = Field(description="Failing integrations first.")
    domains: list[DoubtAnswer]

    @classmethod
    def from_health(cls, health: Health) -> Self:
        deliverer, queue = DelivererAnswer.from_model(health), QueueAnswer.from_model(health)
        return cls.from_model(health, deliverer=deliverer, queue=queue)

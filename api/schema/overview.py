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
    """Counts of a day."""

    date: date
    """Day in UTC."""
    mails: int = Field(validation_alias="messages")
    """Number of accepted messages."""
    tickets: int
    """Number of new tickets."""
    dead: int
    """Number of deliveries of the day's messages that failed permanently."""


class OpenAnswer(Answer):
    """Unresolved tickets by status."""

    open: int
    """Number of tickets that are `open`."""
    in_progress: int
    """Number of tickets that are `in_progress`."""
    waiting: int
    """Number of tickets that are `waiting`."""


class AliasOpenAnswer(OpenAnswer):
    """Unresolved tickets of an alias by status."""

    alias_id: str
    """Id of the alias (`alias_...`)."""
    alias: str = Field(validation_alias="address")
    """Address of the alias."""


class DurationAnswer(Answer):
    """Durations of tickets of the last 30 days. Of many tickets, about 1,000 are measured."""

    count: int
    """Number of measurements."""
    median_seconds: Seconds | None = Field(validation_alias="median")
    """Median in seconds; null without measurements."""
    p90_seconds: Seconds | None = Field(validation_alias="percentile")
    """90th percentile in seconds; null without measurements."""


class LatencyAnswer(Answer):
    """Durations of deliveries of the last 30 days. Of many deliveries, about 1,000 are measured."""

    count: int
    """Number of measurements."""
    median_ms: Milliseconds | None = Field(validation_alias="median")
    """Median in milliseconds; null without measurements."""
    p95_ms: Milliseconds | None = Field(validation_alias="percentile")
    """95th percentile in milliseconds; null without measurements."""


class OverviewAnswer(Answer):
    """Statistics of the workspace."""

    days: list[DayAnswer]
    """Last 30 days in UTC, oldest first."""
    now: OpenAnswer
    """Unresolved tickets of the workspace, by status."""
    unassigned: int
    """Number of unresolved tickets without an assignee."""
    spam_held: int
    """Number of tickets that are held as spam. The other numbers of tickets do not include them."""
    by_alias: list[AliasOpenAnswer]
    """Unresolved tickets of each alias that has some, largest number first."""
    claim: DurationAnswer
    """Time until the first assignment of a ticket."""
    resolve: DurationAnswer
    """Time until a ticket was resolved."""
    delivery: LatencyAnswer
    """Time from accepting a message to the response of the integration."""
    capped: bool
    """Whether a count stopped at 10,000, so that the real value may be higher."""

    @classmethod
    def from_overview(cls, overview: Overview) -> Self:
        by_alias = [AliasOpenAnswer.from_model(entry, entry.tickets) for entry in overview.by_alias]
        return cls.from_model(overview, by_alias=by_alias)


class DelivererAnswer(Answer):
    """Status of the delivery processes."""

    alive: bool = Field(validation_alias="deliverer_alive")
    """Whether a delivery process reported within the last ten minutes."""
    seen_at: Time | None = Field(validation_alias="deliverer_seen_at")
    """When a delivery process last reported; null if none ever did."""


class QueueAnswer(Answer):
    """Numbers of queued, parked and permanently failed deliveries."""

    waiting: int
    """Number of deliveries that wait for an attempt."""
    parked: int
    """Number of deliveries that wait until their failing integration works again."""
    dead: int
    """Number of deliveries that failed permanently."""
    oldest_at: Time | None
    """When the message of the oldest waiting or parked delivery was received; null if there is none."""


class IntegrationProblem(Answer):
    """A failing integration, or an active one whose last delivery or test failed."""

    id: str
    """Id of the integration (`int_...`)."""
    name: str
    """Name of the integration."""
    status: IntegrationStatus
    """Whether the integration is failing."""
    last_error: str
    """Reason of the last failure."""
    failing_since: Time | None
    """When it started to fail; null for an active integration."""
    next_probe_at: Time | None = Field(validation_alias="probe_at")
    """When the next delivery is tried; null for an active integration."""


class DomainProblem(Answer):
    """A domain that is unverified or has missing records."""

    id: str
    """Id of the domain (`dom_...`)."""
    domain: str = Field(validation_alias="name")
    """Name of the domain."""
    status: DomainStatus
    """Whether the domain receives mail."""
    misses: int
    """Number of consecutive automatic checks that found no correct record."""
    missing_since: Time | None
    """When a check first found no correct record; null if the last one found one."""
    checked_at: Time | None
    """When the records were last checked; null before the first check."""


class HealthAnswer(Answer):
    """Delivery status of the workspace."""

    deliverer: DelivererAnswer
    """State of the delivery processes."""
    queue: QueueAnswer
    """Undelivered posts of the workspace."""
    integrations: list[IntegrationProblem]
    """Failing integrations, then those whose last delivery or test failed, at most 50."""
    domains: list[DomainProblem]
    """Domains that are unverified or have missing records, at most 50."""

    @classmethod
    def from_health(cls, health: Health) -> Self:
        deliverer, queue = DelivererAnswer.from_model(health), QueueAnswer.from_model(health)
        return cls.from_model(health, deliverer=deliverer, queue=queue)

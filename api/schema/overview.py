"""Models of the statistics and the delivery status of a workspace."""

from __future__ import annotations

from datetime import date
from typing import Self

from pydantic import Field

from api.schema.shape import Answer, Time
from router.admin.installation.health import Health
from router.admin.installation.overview import DayCounts, DurationStatistics, OpenTickets, Overview
from router.enumerations import DomainStatus, IntegrationStatus
from router.model import Domain, Integration


class DayAnswer(Answer):
    """Counts of a day in UTC. `dead`: permanently failed deliveries of the day's messages."""

    date: date
    mails: int
    tickets: int
    dead: int

    @classmethod
    def from_model(cls, day: DayCounts) -> Self:
        return cls(date=day.date, mails=day.messages, tickets=day.tickets, dead=day.dead)


class OpenAnswer(Answer):
    """Unresolved tickets by status."""

    open: int
    in_progress: int
    waiting: int

    @classmethod
    def from_model(cls, tickets: OpenTickets) -> Self:
        return cls(open=tickets.open, in_progress=tickets.in_progress, waiting=tickets.waiting)


class AliasOpenAnswer(OpenAnswer):
    """Unresolved tickets of an alias by status."""

    alias_id: str
    alias: str


class DurationAnswer(Answer):
    """Durations in seconds, null without measurements. `count` is the number of measurements."""

    count: int
    median_seconds: int | None
    p90_seconds: int | None

    @classmethod
    def from_model(cls, times: DurationStatistics) -> Self:
        return cls(
            count=times.count,
            median_seconds=_in_units(times.median, 10**6),
            p90_seconds=_in_units(times.percentile, 10**6),
        )


class LatencyAnswer(Answer):
    """Time from accepting a message to the response of the integration, in milliseconds."""

    count: int
    median_ms: int | None
    p95_ms: int | None

    @classmethod
    def from_model(cls, times: DurationStatistics) -> Self:
        return cls(count=times.count, median_ms=_in_units(times.median, 1000), p95_ms=_in_units(times.percentile, 1000))


def _in_units(value: int | None, unit: int) -> int | None:
    return None if value is None else value // unit


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
    def from_model(cls, overview: Overview) -> Self:
        return cls(
            days=[DayAnswer.from_model(day) for day in overview.days],
            now=OpenAnswer.from_model(overview.now),
            unassigned=overview.unassigned,
            by_alias=[
                AliasOpenAnswer(
                    alias_id=entry.alias_id,
                    alias=entry.address,
                    open=entry.tickets.open,
                    in_progress=entry.tickets.in_progress,
                    waiting=entry.tickets.waiting,
                )
                for entry in overview.by_alias
            ],
            claim=DurationAnswer.from_model(overview.claim),
            resolve=DurationAnswer.from_model(overview.resolve),
            delivery=LatencyAnswer.from_model(overview.delivery),
            capped=overview.capped,
        )


class DelivererAnswer(Answer):
    """Status of the delivery processes.

    `alive`: whether any of the processes reported within the last ten minutes. `seenAt`: the time of the last report.
    """

    alive: bool
    seen_at: Time | None


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
    next_probe_at: Time | None

    @classmethod
    def from_model(cls, integration: Integration) -> Self:
        return cls(
            id=integration.id,
            name=integration.name,
            status=integration.status,
            last_error=integration.last_error,
            failing_since=integration.failing_since,
            next_probe_at=integration.probe_at,
        )


class DoubtAnswer(Answer):
    """A domain that is unverified or has missing records.

    `misses`: consecutive automatic checks that found no correct record.
    """

    id: str
    domain: str
    status: DomainStatus
    misses: int
    missing_since: Time | None
    checked_at: Time | None

    @classmethod
    def from_model(cls, domain: Domain) -> Self:
        return cls(
            id=domain.id,
            domain=domain.name,
            status=domain.status,
            misses=domain.misses,
            missing_since=domain.missing_since,
            checked_at=domain.checked_at,
        )


class HealthAnswer(Answer):
    """Delivery status of the workspace.

    `integrations` and `domains` list at most 50 integrations and 50 domains with problems.
    """

    deliverer: DelivererAnswer
    queue: QueueAnswer
    integrations: list[TroubleAnswer] = Field(description="Failing integrations first.")
    domains: list[DoubtAnswer]

    @classmethod
    def from_model(cls, health: Health) -> Self:
        return cls(
            deliverer=DelivererAnswer(alive=health.deliverer_alive, seen_at=health.deliverer_seen_at),
            queue=QueueAnswer(
                waiting=health.waiting, parked=health.parked, dead=health.dead, oldest_at=health.oldest_at
            ),
            integrations=[TroubleAnswer.from_model(integration) for integration in health.integrations],
            domains=[DoubtAnswer.from_model(domain) for domain in health.domains],
        )

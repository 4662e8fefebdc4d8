"""Whether mail gets through, as one workspace may know it: what waits and since when, who fails, which domains lost
their records, and when a deliverer was last seen.

What concerns the host (clock, disk, certificate, ports) is `emailrouter check`'s. Reading alone; asked by the API's
`GET /health` and the dashboard.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from router.clock import SECOND, Clock
from router.model import Actor, Domain, Integration, Micros
from router.store.database import Database, fetch_models

MAX_LISTED = 50
# A deliver process does a chore each minute; one that is long, or a host that is busy, may make it wait.
DELIVERER_TIMEOUT: Micros = 600 * SECOND
# What waits longer than this, and is not parked, is worth a look.
OLD_DELIVERY_AGE: Micros = 600 * SECOND


@dataclass(frozen=True, slots=True)
class Health:
    """waiting: deliveries that have a next attempt; parked: those of failing integrations. oldest_at: when the mail of
    the oldest of both came. deliverer_seen_at: None when none was ever.

    integrations: failing ones, and active ones whose last message or test did not arrive. domains: those whose records
    are missing (`misses`), and those that are not verified, or no more.
    """

    waiting: int
    parked: int
    dead: int
    oldest_at: Micros | None
    deliverer_seen_at: Micros | None
    deliverer_alive: bool
    integrations: tuple[Integration, ...]
    domains: tuple[Domain, ...]

    @property
    def failing(self) -> tuple[Integration, ...]:
        return tuple(integration for integration in self.integrations if integration.status == "failing")


class HealthService:
    """Asks the database alone: no name server, no webhook."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor) -> Health:
        """The health of the actor's workspace, now."""
        workspace = {"workspace_id": actor.workspace_id}
        queue, dead, seen, integrations, domains = await asyncio.gather(
            self._database.fetch_one("health_queue", **workspace),
            self._database.fetch_one("health_dead", **workspace),
            self._database.fetch_one("health_deliverer"),
            fetch_models(self._database, Integration, "health_integrations", limit=MAX_LISTED, **workspace),
            fetch_models(self._database, Domain, "health_domains", limit=MAX_LISTED, **workspace),
        )
        seen_at = None if seen is None else seen["seen_at"]
        return Health(
            waiting=0 if queue is None else queue["waiting"],
            parked=0 if queue is None else queue["parked"],
            dead=0 if dead is None else dead["dead"],
            oldest_at=None if queue is None else queue["oldest_at"],
            deliverer_seen_at=seen_at,
            deliverer_alive=seen_at is not None and self._clock.now() - seen_at < DELIVERER_TIMEOUT,
            integrations=tuple(integrations),
            domains=tuple(domains),
        )

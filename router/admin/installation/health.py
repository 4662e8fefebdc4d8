"""The health of mail processing for one workspace: queue, failing integrations, domains, delivery process.

Never queries the DNS or a webhook. `emailrouter check` reports problems of the host.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from router.clock import SECOND, Clock
from router.model import Actor, Domain, Integration, Micros
from router.store.database import Database, fetch_models

MAX_LISTED = 50
# The delivery processes run a shared maintenance task about every minute. Long tasks and busy hosts can delay it.
DELIVERER_TIMEOUT: Micros = 600 * SECOND
OLD_DELIVERY_AGE: Micros = 600 * SECOND


@dataclass(frozen=True, slots=True)
class Health:
    """The health of a workspace.

    Attributes:
        waiting: Pending deliveries that are not parked.
        parked: Deliveries that wait until their failing integration works again.
        dead: Permanently failed deliveries.
        oldest_at: When the message of the oldest pending delivery was received.
        oldest_scheduled_at: The same of the oldest delivery that is not parked.
        integrations: Failing integrations, and active ones whose last delivery or test failed.
        domains: Domains with missing records, and unverified domains.
    """

    waiting: int
    parked: int
    dead: int
    oldest_at: Micros | None
    oldest_scheduled_at: Micros | None
    deliverer_seen_at: Micros | None
    deliverer_alive: bool
    integrations: tuple[Integration, ...]
    domains: tuple[Domain, ...]

    @property
    def failing(self) -> tuple[Integration, ...]:
        return tuple(integration for integration in self.integrations if integration.status == "failing")


class HealthService:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def get(self, actor: Actor) -> Health:
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
            oldest_scheduled_at=None if queue is None else queue["oldest_scheduled_at"],
            deliverer_seen_at=seen_at,
            deliverer_alive=seen_at is not None and self._clock.now() - seen_at < DELIVERER_TIMEOUT,
            integrations=tuple(integrations),
            domains=tuple(domains),
        )

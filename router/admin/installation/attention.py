"""What is in trouble in a workspace and needs a person: failed and parked deliveries, failing integrations, domains.

Every page of the dashboard shows these counts, so they are bounded and at most `FRESH_SECONDS` old. Deliveries for an
integration that was removed are not among them: nobody can send them again. Reads only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from router.clock import Clock
from router.model import Actor, Delivery
from router.store.database import Database, fetch_models

# A count ends here: it is read on every page, and people need no exact number of many failures.
MAX_COUNTED = 1000
CACHE_SECONDS = 5.0
# Failed deliveries among which those are looked for that can be sent again.
MAX_SCANNED_DELIVERIES = 1000
# Workspaces whose counts a process keeps.
MAX_CACHED_WORKSPACES = 1000
# Failing integrations whose parked deliveries are counted one by one.
MAX_INTEGRATIONS = 50


@dataclass(frozen=True, slots=True)
class AttentionCounts:
    """Counts, each at most `MAX_COUNTED`.

    failed: deliveries that were given up. parked: deliveries of failing integrations. failing: those integrations.
    unverified: domains that are not verified. missing: verified domains whose records are missing.
    """

    failed: int = 0
    parked: int = 0
    failing: int = 0
    unverified: int = 0
    missing: int = 0

    @property
    def total(self) -> int:
        return self.failed + self.parked + self.failing + self.unverified + self.missing

    @property
    def fingerprint(self) -> str:
        """All counts in one word: a page that shows another one is out of date."""
        return f"{self.failed}-{self.parked}-{self.failing}-{self.unverified}-{self.missing}"


class AttentionService:
    """One for each process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._cache: OrderedDict[str, tuple[float, AttentionCounts]] = OrderedDict()

    async def get_counts(self, actor: Actor) -> AttentionCounts:
        """The counts of the actor's workspace, at most `FRESH_SECONDS` old."""
        workspace_id = actor.workspace_id
        kept = self._cache.get(workspace_id)
        if kept is not None and self._clock.monotonic() < kept[0]:
            return kept[1]
        row = await self._database.fetch_one("attention_counts", workspace_id=workspace_id, limit=MAX_COUNTED)
        found = AttentionCounts() if row is None else AttentionCounts(**row)
        self._cache[workspace_id] = self._clock.monotonic() + CACHE_SECONDS, found
        self._cache.move_to_end(workspace_id)
        while len(self._cache) > MAX_CACHED_WORKSPACES:
            self._cache.popitem(last=False)
        return found

    def invalidate(self, actor: Actor) -> None:
        """Reads the counts again next time: somebody of the workspace has just changed something."""
        self._cache.pop(actor.workspace_id, None)

    async def list_failed(self, actor: Actor, *, limit: int) -> Sequence[Delivery]:
        """The newest failed deliveries that can be sent again."""
        return await fetch_models(
            self._database,
            Delivery,
            "attention_failed",
            workspace_id=actor.workspace_id,
            scanned=MAX_SCANNED_DELIVERIES,
            limit=limit,
        )

    async def count_parked(self, actor: Actor) -> Mapping[str, int]:
        """The parked deliveries of each failing integration, by its id: of the newest `MAX_INTEGRATIONS`."""
        rows = await self._database.fetch_all(
            "attention_parked", workspace_id=actor.workspace_id, limit=MAX_COUNTED, integrations=MAX_INTEGRATIONS
        )
        return {row["id"]: row["parked"] for row in rows}

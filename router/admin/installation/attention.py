"""The problems of a workspace: failed and parked deliveries, failing integrations and smarthosts, failed replies, and
domains without correct records.

Dashboard pages show the counts, so they are capped and cached. Deliveries of deleted integrations cannot be
replayed and are not included. Reads only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

from router.admin.tickets.reply_views import ReplyView, read_views
from router.clock import Clock
from router.expiring_cache import ExpiringCache
from router.model import Actor, Delivery, Smarthost
from router.store.database import Database, fetch_models

# Maximum of each count, to bound its cost.
MAX_COUNTED = 1000
CACHE_SECONDS = 5.0
# Maximum number of failed deliveries that are searched for replayable ones, of parked ones for the oldest, and of
# replies that failed or bounced for those whose tickets are not resolved.
MAX_SCANNED = 1000
MAX_CACHED_WORKSPACES = 1000
# Maximum number of failing integrations whose parked deliveries are counted, and of failing smarthosts in a list.
MAX_INTEGRATIONS = 50


@dataclass(frozen=True, slots=True)
class AttentionCounts:
    """Counts, each at most `MAX_COUNTED`.

    Attributes:
        failed: Permanently failed deliveries.
        parked: Deliveries that wait until their failing integration works again.
        failing: Failing integrations.
        unverified: Unverified domains.
        missing: Verified domains whose DNS records are missing.
        failed_replies: Replies that failed or bounced, of tickets that are not resolved.
        smarthosts: Failing smarthosts, which hold the replies of the workspace.
    """

    failed: int = 0
    parked: int = 0
    failing: int = 0
    unverified: int = 0
    missing: int = 0
    failed_replies: int = 0
    smarthosts: int = 0

    @property
    def total(self) -> int:
        return sum(astuple(self))

    @property
    def broken(self) -> int:
        """The problems that someone has to repair. Verifying a domain is a step of the setup."""
        return self.total - self.unverified

    @property
    def fingerprint(self) -> str:
        """Lets a page detect that the counts changed."""
        return "-".join(map(str, astuple(self)))


class AttentionService:
    """Counts and lists problems. Caches counts, so use one instance per process."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._cache: ExpiringCache[str, AttentionCounts] = ExpiringCache(clock, MAX_CACHED_WORKSPACES)

    async def get_counts(self, actor: Actor) -> AttentionCounts:
        cached = self._cache.get(actor.workspace_id)
        if cached is not None:
            return cached
        row = await self._database.fetch_one(
            "attention_counts", workspace_id=actor.workspace_id, limit=MAX_COUNTED, scanned=MAX_SCANNED
        )
        counts = AttentionCounts() if row is None else AttentionCounts(**row)
        self._cache.store(actor.workspace_id, counts, CACHE_SECONDS)
        return counts

    def invalidate(self, actor: Actor) -> None:
        self._cache.discard(actor.workspace_id)

    async def list_failed(self, actor: Actor, *, limit: int) -> Sequence[Delivery]:
        """Lists permanently failed deliveries, newest first."""
        return await self._list("attention_failed", actor, limit)

    async def list_held(self, actor: Actor, *, limit: int) -> Sequence[Delivery]:
        """Lists parked deliveries, oldest first: they are sent in this order."""
        return await self._list("attention_held", actor, limit)

    async def _list(self, query: str, actor: Actor, limit: int) -> Sequence[Delivery]:
        parameters = {"workspace_id": actor.workspace_id, "scanned": MAX_SCANNED, "limit": limit}
        return await fetch_models(self._database, Delivery, query, **parameters)

    async def list_failed_replies(self, actor: Actor, *, limit: int) -> Sequence[ReplyView]:
        """Lists replies that failed or bounced, newest first."""
        rows = await self._database.fetch_all(
            "attention_replies", workspace_id=actor.workspace_id, scanned=MAX_SCANNED, limit=limit
        )
        return await read_views(self._database, rows)

    async def list_failing_smarthosts(self, actor: Actor) -> Sequence[Smarthost]:
        """Lists the failing smarthosts that hold replies of the workspace."""
        return await fetch_models(
            self._database,
            Smarthost,
            "attention_smarthosts",
            workspace_id=actor.workspace_id,
            limit=MAX_INTEGRATIONS,
        )

    async def count_parked(self, actor: Actor) -> Mapping[str, int]:
        rows = await self._database.fetch_all(
            "attention_parked", workspace_id=actor.workspace_id, limit=MAX_COUNTED, integrations=MAX_INTEGRATIONS
        )
        return {row["id"]: row["parked"] for row in rows}

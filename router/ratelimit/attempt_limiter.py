"""Limits failed attempts. The counts are in the database, so that all processes share them and restarts keep them.

Each attempt is counted in advance, and removed from the count if it succeeds. An attempt whose process ended counts as
failed.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.clock import Clock
from router.ratelimit import sliding_window
from router.ratelimit.failure_throttle import rate_limit_error
from router.ratelimit.request_limiter import read_window_counts
from router.ratelimit.sliding_window import RateLimit
from router.store.database import Database, QueryExecutor


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """A counted attempt; `remaining` further attempts may fail before the limit is reached."""

    scope: str
    window_start: int
    remaining: int

    async def release(self, transaction: QueryExecutor) -> None:
        """Removes a successful attempt from the count, in the transaction that acts on its success."""
        await transaction.execute("rate_limit_release", scope=self.scope, window_start=self.window_start)


class AttemptLimiter:
    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def reserve(self, scope: str, limit: RateLimit) -> CountedAttempt:
        """Counts one attempt.

        Raises:
            RateLimited: The limit is reached; nothing is written.
        """
        now = self._clock.now()
        start = sliding_window.window_start(limit, now)
        previous, current = await read_window_counts(self._database, scope, limit, now)
        window_limit = sliding_window.window_limit(limit, previous, now)
        if current < window_limit:
            async with self._database.transaction() as transaction:
                row = await transaction.fetch_one(
                    "rate_limit_add", scope=scope, window_start=start, amount=1, max_used=window_limit
                )
                if row is not None:
                    if row["used"] == 1:
                        await transaction.execute("rate_limit_prune", scope=scope, horizon=start - limit.seconds)
                    return CountedAttempt(scope, start, window_limit - row["used"])
        raise rate_limit_error(limit, previous, max(current, window_limit), now)


async def count_once(transaction: QueryExecutor, scope: str, seconds: int, clock: Clock) -> bool:
    """Counts one call for the scope; returns whether it is the first in the current window of `seconds`."""
    start = sliding_window.window_start(RateLimit(1, seconds), clock.now())
    if await transaction.fetch_one("rate_limit_add", scope=scope, window_start=start, amount=1, max_used=1) is None:
        return False
    await transaction.execute("rate_limit_prune", scope=scope, horizon=start)
    return True

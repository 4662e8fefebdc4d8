"""Rate limits, also across processes and restarts."""

import asyncio

from router.ratelimit.request_limiter import DatabaseRateLimiter, ProcessRateLimiter, RateLimiter
from router.ratelimit.sliding_window import RateLimit
from tests.support.clock import FakeClock
from tests.support.stores import Store

MINUTE = RateLimit(requests=10, seconds=60)
DAY = RateLimit(requests=25, seconds=86400)


def new_limiter(store: Store, clock: FakeClock) -> RateLimiter:
    return (DatabaseRateLimiter if store.kind == "postgres" else ProcessRateLimiter)(store.database, clock)


async def count_allowed(limits: RateLimiter, times: int, rate_limits: dict[str, RateLimit]) -> int:
    verdicts = [await limits.count(rate_limits) for _ in range(times)]
    return sum(verdict is not None and verdict.allowed for verdict in verdicts)


async def test_the_limit_holds_across_the_window_boundary(store: Store) -> None:
    clock = FakeClock()
    limits = new_limiter(store, clock)
    assert await count_allowed(limits, 15, {"key:a": MINUTE}) == 10
    clock.advance(60)  # the next window begins; the previous one still counts fully
    assert await count_allowed(limits, 15, {"key:a": MINUTE}) == 0
    clock.advance(30)
    assert await count_allowed(limits, 15, {"key:a": MINUTE}) == 5
    clock.advance(600)
    assert await count_allowed(limits, 15, {"key:a": MINUTE}) == 10
    await limits.close()


async def test_a_rejected_request_is_not_counted(store: Store) -> None:
    clock = FakeClock()
    limits = new_limiter(store, clock)
    assert await count_allowed(limits, 15, {"key:a": MINUTE, "workspace:w": DAY}) == 10
    assert await count_allowed(limits, 10, {"key:b": MINUTE, "workspace:w": DAY}) == 10
    assert (
        await count_allowed(limits, 10, {"key:c": MINUTE, "workspace:w": DAY}) == 5
    )  # the limit of the workspace is 25
    clock.advance(days=3)
    verdict = await limits.count({"key:c": MINUTE, "workspace:w": DAY})
    assert verdict is not None
    assert (verdict.limit, verdict.remaining) == (10, 9)
    await limits.close()


async def test_zero_is_unlimited(store: Store) -> None:
    limits = new_limiter(store, FakeClock())
    assert await limits.count({"key:a": RateLimit(0, 60)}) is None
    verdict = await limits.count({"key:a": RateLimit(0, 60), "workspace:w": DAY})
    assert verdict is not None
    assert verdict.limit == 25
    await limits.close()


async def test_processes_share_the_limit(store: Store) -> None:
    clock = FakeClock()
    one, two = new_limiter(store, clock), new_limiter(store, clock)
    asked = {"key:a": MINUTE, "workspace:w": DAY}
    assert await count_allowed(one, 6, asked) == 6
    await one.close()  # on SQLite, writes the counts that the process keeps in memory
    assert await count_allowed(two, 10, asked) == 4
    await two.close()


async def test_concurrent_requests_get_exactly_the_limit(store: Store) -> None:
    clock = FakeClock()
    several = [new_limiter(store, clock) for _ in range(3 if store.kind == "postgres" else 1)]
    asked = {"key:a": MINUTE, "workspace:w": DAY}
    verdicts = await asyncio.gather(*(limits.count(asked) for limits in several for _ in range(20)))
    assert sum(verdict is not None and verdict.allowed for verdict in verdicts) == 10
    for limits in several:
        await limits.close()


async def test_counts_survive_a_restart(store: Store) -> None:
    clock = FakeClock()
    before = new_limiter(store, clock)
    await count_allowed(before, 7, {"key:a": MINUTE})
    await before.close()
    clock.advance(60)
    after = new_limiter(store, clock)
    clock.advance(30)
    assert await count_allowed(after, 20, {"key:a": MINUTE}) == 6  # 10 - 7 / 2, rounded down
    await after.close()

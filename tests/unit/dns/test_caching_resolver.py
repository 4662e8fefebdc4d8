"""The caching resolver merges and limits concurrent queries, and caches records."""

import asyncio
from collections.abc import Sequence

from router.dns.caching_resolver import MAX_CACHE_SECONDS, CachingResolver
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord, RecordResolver
from tests.support.clock import FakeClock
from tests.support.waiting import wait_until


class GatedResolver:
    """A resolver that records its queries and answers only while `release` is set."""

    def __init__(self) -> None:
        self.answer: DnsRecords[str] | NoDnsRecord | DnsFailure = DnsRecords(("x",), ttl=60)
        self.queried: list[str] = []
        self.running = 0
        self.max_running = 0
        self.release = asyncio.Event()
        self.release.set()
        self.alternates: Sequence[RecordResolver] = ()

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        await self.query_txt(name)
        return NoDnsRecord()

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        self.queried.append(name)
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await self.release.wait()
        self.running -= 1
        return self.answer


async def test_records_are_cached_for_their_ttl() -> None:
    resolver, clock = GatedResolver(), FakeClock()
    caching = CachingResolver(resolver, clock)
    assert await caching.query_txt("a.test") == await caching.query_txt("a.test") == DnsRecords(("x",))
    assert len(resolver.queried) == 1
    clock.advance(61)
    await caching.query_txt("a.test")
    assert len(resolver.queried) == 2
    resolver.answer = DnsRecords(("y",), ttl=10**6)
    await caching.query_txt("b.test")
    clock.advance(MAX_CACHE_SECONDS + 1)
    await caching.query_txt("b.test")
    assert resolver.queried.count("b.test") == 2


async def test_missing_records_and_failures_are_not_cached() -> None:
    resolver = GatedResolver()
    caching = CachingResolver(resolver, FakeClock())
    resolver.answer = NoDnsRecord()
    await caching.query_txt("a.test")
    resolver.answer = DnsFailure("no response")
    await caching.query_txt("a.test")
    resolver.answer = DnsRecords(("x",), ttl=60)
    assert await caching.query_txt("a.test") == DnsRecords(("x",))


async def test_uncached_queries() -> None:
    resolver = GatedResolver()
    caching = CachingResolver(resolver, FakeClock())
    await caching.query_txt("a.test")
    resolver.answer = DnsRecords(("new",), ttl=60)
    assert await caching.uncached.query_txt("a.test") == DnsRecords(("new",))


async def test_concurrent_queries_are_limited_and_merged() -> None:
    resolver = GatedResolver()
    resolver.release.clear()
    caching = CachingResolver(resolver, FakeClock(), max_concurrent=3)
    tasks = [asyncio.create_task(caching.query_txt(f"{n % 10}.test")) for n in range(30)]
    await wait_until(lambda: resolver.running == 3, "three queries")
    resolver.release.set()
    await asyncio.gather(*tasks)
    assert sorted(resolver.queried) == [f"{n}.test" for n in range(10)]
    assert resolver.max_running == 3


async def test_cancelled_caller_does_not_cancel_the_query_of_others() -> None:
    resolver = GatedResolver()
    resolver.release.clear()
    caching = CachingResolver(resolver, FakeClock())
    first, second = (asyncio.create_task(caching.query_txt("a.test")) for _ in range(2))
    await wait_until(lambda: resolver.running == 1, "one query")
    first.cancel()
    resolver.release.set()
    assert await second == DnsRecords(("x",))

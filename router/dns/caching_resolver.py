"""A resolver that limits concurrent queries, sends equal concurrent queries once, and caches existing records.

Missing records and failures are not cached. `uncached` shares the limit but not the cache, for users who have just
changed their records.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from router.clock import Clock
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord, RecordResolver
from router.expiring_cache import ExpiringCache

MAX_CONCURRENT = 16
MAX_CACHE_SECONDS = 300.0
CACHE_SIZE = 2000

_Key = tuple[str, str]


class CachingResolver:
    """Caches the records found by a resolver, but not those found by its `alternates`."""

    def __init__(self, resolver: RecordResolver, clock: Clock, *, max_concurrent: int = MAX_CONCURRENT) -> None:
        self._resolver = resolver
        self._slots = asyncio.Semaphore(max_concurrent)
        self._cache: ExpiringCache[_Key, DnsRecords[Any]] = ExpiringCache(clock, CACHE_SIZE)
        self._pending: dict[_Key, asyncio.Task[Any]] = {}
        self.uncached: RecordResolver = _UncachedResolver(resolver, self._slots)

    @property
    def alternates(self) -> Sequence[RecordResolver]:
        return [_UncachedResolver(alternate, self._slots) for alternate in self._resolver.alternates]

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        answer: DnsRecords[MxRecord] | NoDnsRecord | DnsFailure = await self._query(
            ("MX", name), lambda: self._resolver.query_mx(name)
        )
        return answer

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        answer: DnsRecords[str] | NoDnsRecord | DnsFailure = await self._query(
            ("TXT", name), lambda: self._resolver.query_txt(name)
        )
        return answer

    async def _query(self, key: _Key, query: Callable[[], Awaitable[Any]]) -> Any:
        answer = self._cache.get(key)
        if answer is not None:
            return answer
        task = self._pending.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._query_and_cache(key, query))
            self._pending[key] = task
            task.add_done_callback(lambda _: self._pending.pop(key, None))
        # Shielded: a cancelled caller must not cancel the query for other callers.
        return await asyncio.shield(task)

    async def _query_and_cache(self, key: _Key, query: Callable[[], Awaitable[Any]]) -> Any:
        async with self._slots:
            answer = await query()
        self._cache.discard(key)
        if isinstance(answer, DnsRecords):
            self._cache.store(key, answer, min(answer.ttl, MAX_CACHE_SECONDS))
        return answer


class _UncachedResolver:
    def __init__(self, resolver: RecordResolver, slots: asyncio.Semaphore) -> None:
        self._resolver = resolver
        self._slots = slots

    @property
    def alternates(self) -> Sequence[RecordResolver]:
        return [_UncachedResolver(alternate, self._slots) for alternate in self._resolver.alternates]

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        async with self._slots:
            return await self._resolver.query_mx(name)

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        async with self._slots:
            return await self._resolver.query_txt(name)

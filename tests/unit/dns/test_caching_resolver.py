"""Many questions through one resolver: bounded, asked once, remembered within the TTL and never longer."""

import asyncio
from collections.abc import Sequence

from router.dns.caching_resolver import MAX_CACHE_SECONDS, CachingResolver
from router.dns.resolver import DnsFailure, DnsRecords, MxRecord, NoDnsRecord, RecordResolver
from tests.support.clock import FakeClock
from tests.support.waiting import until


class Scripted:
    """Answers when it is let, and counts."""

    def __init__(self) -> None:
        self.answer: DnsRecords[str] | NoDnsRecord | DnsFailure = DnsRecords(("x",), ttl=60)
        self.asked: list[str] = []
        self.under_way = 0
        self.most = 0
        self.open = asyncio.Event()
        self.open.set()
        self.alternates: Sequence[RecordResolver] = ()

    async def query_mx(self, name: str) -> DnsRecords[MxRecord] | NoDnsRecord | DnsFailure:
        await self.query_txt(name)
        return NoDnsRecord()

    async def query_txt(self, name: str) -> DnsRecords[str] | NoDnsRecord | DnsFailure:
        self.asked.append(name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        return self.answer


async def test_what_was_found_is_remembered_within_its_ttl() -> None:
    inner, clock = Scripted(), FakeClock()
    shared = CachingResolver(inner, clock)
    assert await shared.query_txt("a.test") == await shared.query_txt("a.test") == DnsRecords(("x",))
    assert len(inner.asked) == 1
    clock.advance(61)
    await shared.query_txt("a.test")
    assert len(inner.asked) == 2
    inner.answer = DnsRecords(("y",), ttl=10**6)
    await shared.query_txt("b.test")
    clock.advance(MAX_CACHE_SECONDS + 1)
    await shared.query_txt("b.test")
    assert inner.asked.count("b.test") == 2


async def test_what_was_not_found_is_asked_again() -> None:
    inner = Scripted()
    shared = CachingResolver(inner, FakeClock())
    inner.answer = NoDnsRecord()
    await shared.query_txt("a.test")
    inner.answer = DnsFailure("silence")
    await shared.query_txt("a.test")
    inner.answer = DnsRecords(("x",), ttl=60)
    assert await shared.query_txt("a.test") == DnsRecords(("x",))


async def test_people_ask_anew() -> None:
    inner = Scripted()
    shared = CachingResolver(inner, FakeClock())
    await shared.query_txt("a.test")
    inner.answer = DnsRecords(("new",), ttl=60)
    assert await shared.uncached.query_txt("a.test") == DnsRecords(("new",))


async def test_questions_at_once_are_bounded_and_the_same_one_is_one() -> None:
    inner = Scripted()
    inner.open.clear()
    shared = CachingResolver(inner, FakeClock(), max_concurrent=3)
    asking = [asyncio.create_task(shared.query_txt(f"{n % 10}.test")) for n in range(30)]
    await until(lambda: inner.under_way == 3, "three questions")
    inner.open.set()
    await asyncio.gather(*asking)
    assert sorted(inner.asked) == [f"{n}.test" for n in range(10)]
    assert inner.most == 3


async def test_one_that_gives_up_does_not_take_the_answer_from_others() -> None:
    inner = Scripted()
    inner.open.clear()
    shared = CachingResolver(inner, FakeClock())
    first, second = (asyncio.create_task(shared.query_txt("a.test")) for _ in range(2))
    await until(lambda: inner.under_way == 1, "the question")
    first.cancel()
    inner.open.set()
    assert await second == DnsRecords(("x",))

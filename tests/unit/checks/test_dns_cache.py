"""The cache of DNS answers: lifetimes, merged questions, limits, cancelled callers and prefetches."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.checks import dns_cache
from router.checks.dns_cache import MAX_CONCURRENT, MAX_CONCURRENT_OF_ZONE, MAX_PREFETCHES, DnsCache, seconds_to_cache
from router.dns.answers import AnswerFault, DnsAnswer, RecordType
from router.meter import NullMeter
from tests.support.clock import FakeClock
from tests.support.waiting import wait_until


class WaitingResolver:
    """A resolver that records its questions and answers only while `release` is set."""

    def __init__(self) -> None:
        self.answer = DnsAnswer("found", ("x",), ttl=60)
        self.asked: list[str] = []
        self.running = 0
        self.max_running = 0
        self.release = asyncio.Event()
        self.release.set()

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        self.asked.append(name)
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        await self.release.wait()
        self.running -= 1
        return self.answer


class RecordingMeter(NullMeter):
    def __init__(self) -> None:
        self.faults: list[str] = []

    def record_dns_question(self, seconds: float, fault: str) -> None:
        assert seconds >= 0
        self.faults.append(fault)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def resolver() -> WaitingResolver:
    return WaitingResolver()


@pytest.fixture
def cache(resolver: WaitingResolver, clock: FakeClock) -> DnsCache:
    return DnsCache(resolver, clock)


def start(work: Coroutine[Any, Any, DnsAnswer]) -> asyncio.Task[DnsAnswer]:
    return asyncio.create_task(work)


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (DnsAnswer("found", ("x",), ttl=300), 300),
        (DnsAnswer("found", ("x",), ttl=0), 5),
        (DnsAnswer("found", ("x",), ttl=86_400), 3600),
        (DnsAnswer("no_domain"), 60),
        (DnsAnswer("no_data", ttl=86_400), 60),
        (DnsAnswer("failed", fault="timeout"), 10),
    ],
)
async def test_lifetimes(
    cache: DnsCache, resolver: WaitingResolver, clock: FakeClock, answer: DnsAnswer, seconds: int
) -> None:
    resolver.answer = answer
    assert await cache.query("A.test.", "TXT") == await cache.query("a.test", "TXT") == answer
    clock.advance(seconds - 1)
    await cache.query("a.test", "TXT")
    assert resolver.asked == ["a.test"]
    await cache.query("a.test", "A")
    clock.advance(1)
    await cache.query("a.test", "TXT")
    assert len(resolver.asked) == 3


@given(st.sampled_from(["found", "no_data", "no_domain", "failed"]), st.integers(-(2**31), 2**32))
def test_lifetimes_are_bounded(status: Any, ttl: int) -> None:
    assert 5 <= seconds_to_cache(DnsAnswer(status, ttl=ttl)) <= 3600


async def test_equal_questions_are_sent_once_and_others_are_limited(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    tasks = [start(cache.query(f"{n % 100}.test", "TXT")) for n in range(300)]
    await wait_until(lambda: resolver.running == MAX_CONCURRENT, "all slots")
    resolver.release.set()
    assert set(await asyncio.gather(*tasks)) == {resolver.answer}
    assert sorted(resolver.asked) == sorted(f"{n}.test" for n in range(100))
    assert resolver.max_running == MAX_CONCURRENT


async def test_a_zone_with_slow_name_servers_delays_no_other(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    slow = [start(cache.query(f"{n}.slow.test", "TXT")) for n in range(MAX_CONCURRENT)]
    slow += [start(cache.query(f"{n}.2.0.192.in-addr.arpa", "PTR")) for n in range(MAX_CONCURRENT)]
    await wait_until(lambda: resolver.running == 2 * MAX_CONCURRENT_OF_ZONE, "the slots of both zones")
    other = start(cache.query("www.other.test", "TXT"))
    await wait_until(lambda: "www.other.test" in resolver.asked, "the question of another zone")
    resolver.release.set()
    assert set(await asyncio.gather(*slow, other)) == {resolver.answer}
    assert resolver.max_running == 2 * MAX_CONCURRENT_OF_ZONE + 1
    assert not cache._zones._slots


async def test_cancelled_caller_does_not_cancel_the_question_of_others(
    cache: DnsCache, resolver: WaitingResolver
) -> None:
    resolver.release.clear()
    first, second = (start(cache.query("a.test", "TXT")) for _ in range(2))
    await wait_until(lambda: resolver.running == 1, "one question")
    first.cancel()
    resolver.release.set()
    assert await second == resolver.answer


async def test_answer_of_a_sent_question_is_cached_without_callers(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    only = start(cache.query("a.test", "TXT"))
    await wait_until(lambda: resolver.running == 1, "one question")
    only.cancel()
    await asyncio.gather(only, return_exceptions=True)
    resolver.release.set()
    assert await cache.query("a.test", "TXT") == resolver.answer
    assert resolver.asked == ["a.test"]


async def test_waiting_question_without_callers_is_not_sent(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    sent = [start(cache.query(f"{n}.test", "TXT")) for n in range(MAX_CONCURRENT)]
    await wait_until(lambda: resolver.running == MAX_CONCURRENT, "all slots")
    abandoned = [start(cache.query("late.test", "TXT")) for _ in range(2)]
    await asyncio.sleep(0)
    for task in abandoned:
        task.cancel()
    await asyncio.sleep(0)  # the question is being cancelled now
    again = [start(cache.query("late.test", "TXT"))]
    for _ in range(5):
        await asyncio.sleep(0)
    again.append(start(cache.query("late.test", "TXT")))
    resolver.release.set()
    assert await asyncio.gather(*again) == [resolver.answer] * 2
    await asyncio.gather(*sent)
    assert all(task.cancelled() for task in abandoned)
    assert resolver.asked.count("late.test") == 1


async def test_prefetch(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    for n in range(100):
        cache.prefetch(f"{n}.test", "TXT")
        cache.prefetch("0.test", "TXT")
    cache.prefetch("", "TXT")
    cache.prefetch("ü" * 400, "TXT")
    await wait_until(lambda: resolver.running == MAX_PREFETCHES, "the prefetches")
    asked = start(cache.query("0.test", "TXT"))
    others = [start(cache.query(f"www.other{n}.test", "TXT")) for n in range(MAX_CONCURRENT - MAX_PREFETCHES)]
    await wait_until(lambda: resolver.running == MAX_CONCURRENT, "all slots")
    resolver.release.set()
    assert await asked == resolver.answer
    await asyncio.gather(*others)
    cache.prefetch("0.test", "TXT")
    cache.prefetch("new.test", "TXT")
    await wait_until(lambda: "new.test" in resolver.asked, "a prefetch of a new name")
    assert len(resolver.asked) == len(set(resolver.asked)) == MAX_CONCURRENT + 1


async def test_prefetch_never_waits_for_a_slot(cache: DnsCache, resolver: WaitingResolver) -> None:
    resolver.release.clear()
    callers = [start(cache.query(f"{n}.test", "TXT")) for n in range(MAX_CONCURRENT)]
    await wait_until(lambda: resolver.running == MAX_CONCURRENT, "all slots")
    cache.prefetch("full.test", "TXT")
    resolver.release.set()
    await asyncio.gather(*callers)
    cache.prefetch("next.test", "TXT")
    await wait_until(lambda: "next.test" in resolver.asked, "a prefetch after the others")
    assert "full.test" not in resolver.asked


async def test_number_and_size_of_answers_are_limited(
    cache: DnsCache, resolver: WaitingResolver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dns_cache, "MAX_ANSWERS", 3)
    for n in range(4):
        await cache.query(f"{n}.test", "TXT")
    await cache.query("3.test", "TXT")
    await cache.query("0.test", "TXT")
    assert resolver.asked == ["0.test", "1.test", "2.test", "3.test", "0.test"]
    monkeypatch.setattr(dns_cache, "MAX_CACHED_CHARACTERS", 500)
    resolver.answer = DnsAnswer("found", ("x" * 300,), ttl=60)
    for name in ("a.test", "b.test", "b.test", "a.test"):
        await cache.query(name, "TXT")
    assert resolver.asked[5:] == ["a.test", "b.test", "a.test"]


@pytest.mark.parametrize("name", ["", ".", "ü.test", "a" * 254, "a." * 200])
async def test_names_that_dns_cannot_contain(cache: DnsCache, resolver: WaitingResolver, name: str) -> None:
    assert await cache.query(name, "TXT") == DnsAnswer("no_domain")
    assert resolver.asked == []


async def test_meter_gets_sent_questions(resolver: WaitingResolver, clock: FakeClock) -> None:
    meter = RecordingMeter()
    cache = DnsCache(resolver, clock, meter)
    faults: tuple[AnswerFault, ...] = ("", "timeout", "refused")
    for fault in faults:
        resolver.answer = DnsAnswer("failed" if fault else "found", fault=fault)
        for _ in range(2):
            await cache.query(f"{fault}.test", "TXT")
    assert meter.faults == list(faults)


_STEPS = st.lists(
    st.tuples(st.sampled_from(["query", "prefetch", "cancel", "release", "hold", "expire"]), st.integers(0, 7)),
    max_size=40,
)


@given(_STEPS)
async def test_any_order_of_steps(steps: list[tuple[str, int]]) -> None:
    """Callers that were not cancelled get an answer, the limit holds, and nothing is left behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dns_cache, "MAX_CONCURRENT", 3)
        patch.setattr(dns_cache, "MAX_PREFETCHES", 2)
        patch.setattr(dns_cache, "MAX_ANSWERS", 4)
        resolver, clock = WaitingResolver(), FakeClock()
        cache = DnsCache(resolver, clock)
        callers: list[asyncio.Task[DnsAnswer]] = []
        for step, n in steps:
            match step:
                case "query":
                    callers.append(start(cache.query(f"{n}.test", "TXT")))
                case "prefetch":
                    cache.prefetch(f"{n}.test", "TXT")
                case "cancel" if callers:
                    callers[n % len(callers)].cancel()
                case "release":
                    resolver.release.set()
                case "hold":
                    resolver.release.clear()
                case "expire":
                    clock.advance(60)
            for _ in range(n):
                await asyncio.sleep(0)
        resolver.release.set()
        answers = await asyncio.gather(*callers, return_exceptions=True)
        assert all(
            answer == resolver.answer or caller.cancelled() for caller, answer in zip(callers, answers, strict=True)
        )
        await wait_until(lambda: not cache._pending, "the end of all questions")
        assert resolver.max_running <= 3
        assert cache._prefetches == 0
        assert cache._slots._value == 3
        assert len(cache._answers) <= 4
        assert cache._cached_characters == sum(len(name) + len("x") for name, _ in cache._answers)

"""Many questions through one resolver: bounded, asked once, remembered within the TTL and never longer."""

import asyncio
from collections.abc import Sequence

from router.dns.resolver import Found, Missing, Mx, Resolver, Unknown
from router.dns.shared import MOST_REMEMBERED, SharedResolver
from tests.support.clock import FakeClock
from tests.support.waiting import until


class Scripted:
    """Answers when it is let, and counts."""

    def __init__(self) -> None:
        self.answer: Found[str] | Missing | Unknown = Found(("x",), ttl=60)
        self.asked: list[str] = []
        self.under_way = 0
        self.most = 0
        self.open = asyncio.Event()
        self.open.set()
        self.views: Sequence[Resolver] = ()

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        await self.txt(name)
        return Missing()

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        self.asked.append(name)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        await self.open.wait()
        self.under_way -= 1
        return self.answer


async def test_what_was_found_is_remembered_within_its_ttl() -> None:
    inner, clock = Scripted(), FakeClock()
    shared = SharedResolver(inner, clock)
    assert await shared.txt("a.test") == await shared.txt("a.test") == Found(("x",))
    assert len(inner.asked) == 1
    clock.advance(61)
    await shared.txt("a.test")
    assert len(inner.asked) == 2
    inner.answer = Found(("y",), ttl=10**6)
    await shared.txt("b.test")
    clock.advance(MOST_REMEMBERED + 1)
    await shared.txt("b.test")
    assert inner.asked.count("b.test") == 2


async def test_what_was_not_found_is_asked_again() -> None:
    inner = Scripted()
    shared = SharedResolver(inner, FakeClock())
    inner.answer = Missing()
    await shared.txt("a.test")
    inner.answer = Unknown("silence")
    await shared.txt("a.test")
    inner.answer = Found(("x",), ttl=60)
    assert await shared.txt("a.test") == Found(("x",))


async def test_people_ask_anew() -> None:
    inner = Scripted()
    shared = SharedResolver(inner, FakeClock())
    await shared.txt("a.test")
    inner.answer = Found(("new",), ttl=60)
    assert await shared.fresh.txt("a.test") == Found(("new",))


async def test_questions_at_once_are_bounded_and_the_same_one_is_one() -> None:
    inner = Scripted()
    inner.open.clear()
    shared = SharedResolver(inner, FakeClock(), at_once=3)
    asking = [asyncio.create_task(shared.txt(f"{n % 10}.test")) for n in range(30)]
    await until(lambda: inner.under_way == 3, "three questions")
    inner.open.set()
    await asyncio.gather(*asking)
    assert sorted(inner.asked) == [f"{n}.test" for n in range(10)]
    assert inner.most == 3


async def test_one_that_gives_up_does_not_take_the_answer_from_others() -> None:
    inner = Scripted()
    inner.open.clear()
    shared = SharedResolver(inner, FakeClock())
    first, second = (asyncio.create_task(shared.txt("a.test")) for _ in range(2))
    await until(lambda: inner.under_way == 1, "the question")
    first.cancel()
    inner.open.set()
    assert await second == Found(("x",))

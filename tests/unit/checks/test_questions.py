"""The questions of one message are limited and answered once."""

import asyncio

from router.checks.questions import MAX_QUESTIONS, Questions
from router.dns.answers import DnsAnswer
from tests.unit.checks.zones import ZoneLookup

OVER_LIMIT = DnsAnswer("failed", fault="limit")


async def test_limit_counts_distinct_questions() -> None:
    zone = ZoneLookup({"a.test": [("TXT", "x")]})
    questions = Questions(zone)
    found = DnsAnswer("found", ("x",), ttl=60)
    assert await asyncio.gather(*(questions.query("A.test.", "TXT") for _ in range(50))) == [found] * 50
    await asyncio.gather(*(questions.query(f"{n}.test", "TXT") for n in range(MAX_QUESTIONS - 2)))
    assert await questions.query("a.test", "MX") == DnsAnswer("no_data")
    assert await questions.query("ü.test", "MX") == DnsAnswer("no_domain")
    assert await questions.query("new.test", "TXT") == OVER_LIMIT
    assert await questions.query("a.test", "TXT") == found
    assert len(set(zone.questions)) == MAX_QUESTIONS


async def test_concurrent_questions_do_not_exceed_the_limit() -> None:
    zone = ZoneLookup({})
    questions = Questions(zone, limit=3)
    answers = await asyncio.gather(*(questions.query(f"{n}.test", "TXT") for n in range(10)))
    assert answers == [DnsAnswer("no_domain")] * 3 + [OVER_LIMIT] * 7
    assert len(zone.questions) == 3


async def test_answers_stay_the_same() -> None:
    answers = [DnsAnswer("failed", fault="timeout"), DnsAnswer("found", ("x",))]

    class Changing:
        async def query(self, *_: object) -> DnsAnswer:
            return answers.pop(0)

    questions = Questions(Changing())
    assert await questions.query("a.test", "A") == await questions.query("a.test", "A")
    assert len(answers) == 1

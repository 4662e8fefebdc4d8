"""The DNS questions of the sender checks: cached, merged and limited.

A question never raises for DNS or network failures. Equal questions are sent once at a time. Of the waiting questions,
those that nobody waits for any more are not sent.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from router.clock import Clock
from router.dns.answers import DnsAnswer, RecordType
from router.dns.resolver import MAX_NAME_LENGTH, DnsResolver
from router.meter import NULL_METER, Meter

# Time limits in seconds of an attempt at one server and of a question. `[checks] deadline` is 5 s by default.
ATTEMPT_TIMEOUT = 1.2
QUESTION_LIFETIME = 4.0

MAX_CONCURRENT = 64
# Of these, at most this many are for names of one zone: a sender with slow name servers must not delay the questions
# about other senders.
MAX_CONCURRENT_OF_ZONE = 16
# Prefetched questions may be for mail that never arrives. The other half stays free for mail that did.
MAX_PREFETCHES = MAX_CONCURRENT // 2
MAX_ANSWERS = 10_000
# Characters of names and values in all cached answers. An answer may have 64 KB: without this limit, strangers could
# fill 640 MB.
MAX_CACHED_CHARACTERS = 16 << 20
# Seconds that an answer is cached.
MIN_TTL = 5.0
MAX_TTL = 3600.0
NEGATIVE_TTL = 60.0
FAILED_TTL = 10.0

Question = tuple[str, RecordType]


class QuestionResolver(Protocol):
    """Queries name servers. `router.dns.resolver.DnsResolver` is one."""

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer: ...


@dataclass(slots=True)
class _PendingQuestion:
    """A question on its way. It is cancelled if nobody waits for it before it is sent."""

    is_prefetch: bool
    task: asyncio.Task[DnsAnswer] = field(init=False)
    waiting: int = 0
    is_sent: bool = False


class _ZoneSlots:
    """Limits the concurrent questions of each zone. A zone is taken to be the last two labels, of PTR names four."""

    def __init__(self) -> None:
        self._slots: dict[str, asyncio.Semaphore] = {}  # of the zones with questions
        self._users: Counter[str] = Counter()

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[None]:
        zone = ".".join(name.split(".")[-4 if name.endswith(".arpa") else -2 :])
        self._users[zone] += 1
        try:
            async with self._slots.setdefault(zone, asyncio.Semaphore(MAX_CONCURRENT_OF_ZONE)):
                yield
        finally:
            self._users[zone] -= 1
            if not self._users[zone]:
                del self._users[zone], self._slots[zone]


class DnsCache:
    """Answers questions from memory or through a resolver. All users in a process share one."""

    def __init__(self, resolver: QuestionResolver, clock: Clock, meter: Meter = NULL_METER) -> None:
        self._resolver = resolver
        self._clock = clock
        self._meter = meter
        self._slots = asyncio.Semaphore(MAX_CONCURRENT)
        self._zones = _ZoneSlots()
        self._answers: OrderedDict[Question, tuple[float, DnsAnswer]] = OrderedDict()
        self._cached_characters = 0
        self._pending: dict[Question, _PendingQuestion] = {}
        self._prefetches = 0

    async def query(self, name: str, record_type: RecordType) -> DnsAnswer:
        """Returns the cached answer, or waits for that of the resolver."""
        question = normalize_question(name, record_type)
        if question is None:
            return DnsAnswer("no_domain")
        answer = self._cached(question)
        if answer is not None:
            return answer
        pending = self._pending.get(question) or self._start(question)
        pending.waiting += 1
        try:
            # Shielded: a cancelled caller must not cancel the question of other callers.
            return await asyncio.shield(pending.task)
        finally:
            pending.waiting -= 1
            if not (pending.waiting or pending.is_sent):
                self._pending.pop(question, None)
                pending.task.cancel()

    def prefetch(self, name: str, record_type: RecordType) -> None:
        """Starts a question without waiting for its answer. Drops it if too many are on their way."""
        question = normalize_question(name, record_type)
        if question is None or question in self._pending or self._cached(question) is not None:
            return
        if self._prefetches < MAX_PREFETCHES and not self._slots.locked():
            self._start(question, is_prefetch=True)

    def _start(self, question: Question, *, is_prefetch: bool = False) -> _PendingQuestion:
        pending = self._pending[question] = _PendingQuestion(is_prefetch)
        self._prefetches += is_prefetch
        pending.task = asyncio.get_running_loop().create_task(self._ask(question, pending))
        pending.task.add_done_callback(lambda _: self._forget(question, pending))
        return pending

    def _forget(self, question: Question, pending: _PendingQuestion) -> None:
        self._prefetches -= pending.is_prefetch
        if self._pending.get(question) is pending:
            del self._pending[question]

    async def _ask(self, question: Question, pending: _PendingQuestion) -> DnsAnswer:
        async with self._zones.slot(question[0]), self._slots:
            pending.is_sent = True
            started = self._clock.monotonic()
            answer = await self._resolver.query(*question)
            self._meter.record_dns_question(self._clock.monotonic() - started, answer.fault)
        self._store(question, answer)
        return answer

    def _cached(self, question: Question) -> DnsAnswer | None:
        entry = self._answers.get(question)
        return None if entry is None or self._clock.monotonic() >= entry[0] else entry[1]

    def _store(self, question: Question, answer: DnsAnswer) -> None:
        self._drop(question)
        self._answers[question] = self._clock.monotonic() + seconds_to_cache(answer), answer
        self._cached_characters += _characters(question, answer)
        while len(self._answers) > MAX_ANSWERS or self._cached_characters > MAX_CACHED_CHARACTERS:
            self._drop(next(iter(self._answers)))

    def _drop(self, question: Question) -> None:
        entry = self._answers.pop(question, None)
        if entry is not None:
            self._cached_characters -= _characters(question, entry[1])


def open_dns_cache(nameservers: Sequence[tuple[str, int]], clock: Clock, meter: Meter) -> DnsCache:
    """Returns a cache over a resolver. Without `nameservers`, it uses those of this host."""
    resolver = DnsResolver(nameservers, timeout=ATTEMPT_TIMEOUT, lifetime=QUESTION_LIFETIME)
    return DnsCache(resolver, clock, meter)


def normalize_question(name: str, record_type: RecordType) -> Question | None:
    """Returns the question in the form in which equal ones are merged, or None if DNS cannot contain the name."""
    text = name.removesuffix(".")
    return (text.lower(), record_type) if text.isascii() and 0 < len(text) <= MAX_NAME_LENGTH else None


def seconds_to_cache(answer: DnsAnswer) -> float:
    match answer.status:
        case "found":
            return min(max(float(answer.ttl), MIN_TTL), MAX_TTL)
        case "failed":
            return FAILED_TTL
    return NEGATIVE_TTL


def _characters(question: Question, answer: DnsAnswer) -> int:
    return len(question[0]) + sum(map(len, answer.values))

"""One resolver for many questions: bounded in number, asked once when asked at once, remembered within its TTL.

For the rechecks of all domains: name servers see few questions at a time, and one answer serves every workspace
that has the name. Only found records are remembered, never longer than their TTL nor than `MOST_REMEMBERED`; that
there is none, or that nobody could tell, is asked again each time. `fresh` is the same bound without the memory: for
people, who want to see what they have just changed.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from router.clock import Clock
from router.dns.resolver import Found, Missing, Mx, Resolver, Unknown

AT_ONCE = 16
MOST_REMEMBERED = 300.0  # seconds
SIZE = 2000

_Key = tuple[str, str]


class SharedResolver:
    """The `Resolver` of a process's rechecks; the views of the one behind it are asked as they are."""

    def __init__(self, resolver: Resolver, clock: Clock, *, at_once: int = AT_ONCE) -> None:
        self._resolver = resolver
        self._clock = clock
        self._turns = asyncio.Semaphore(at_once)
        self._known: OrderedDict[_Key, tuple[float, Any]] = OrderedDict()
        self._asking: dict[_Key, asyncio.Task[Any]] = {}
        self.fresh: Resolver = _Fresh(resolver, self._turns)

    @property
    def views(self) -> Sequence[Resolver]:
        """See `Resolver.views`."""
        return [_Fresh(view, self._turns) for view in self._resolver.views]

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        """See `Resolver.mx`."""
        answer: Found[Mx] | Missing | Unknown = await self._ask(("MX", name), lambda: self._resolver.mx(name))
        return answer

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        """See `Resolver.txt`."""
        answer: Found[str] | Missing | Unknown = await self._ask(("TXT", name), lambda: self._resolver.txt(name))
        return answer

    async def _ask(self, key: _Key, question: Callable[[], Awaitable[Any]]) -> Any:
        until, answer = self._known.get(key, (0.0, None))
        if answer is not None and self._clock.monotonic() < until:
            return answer
        task = self._asking.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._bounded(key, question))
            self._asking[key] = task
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        # Shielded: others may wait for the same answer.
        return await asyncio.shield(task)

    async def _bounded(self, key: _Key, question: Callable[[], Awaitable[Any]]) -> Any:
        async with self._turns:
            answer = await question()
        self._known.pop(key, None)
        if isinstance(answer, Found):
            self._known[key] = (self._clock.monotonic() + min(answer.ttl, MOST_REMEMBERED), answer)
            while len(self._known) > SIZE:
                self._known.popitem(last=False)
        return answer


class _Fresh:
    """Asks anew each time, in turn."""

    def __init__(self, resolver: Resolver, turns: asyncio.Semaphore) -> None:
        self._resolver = resolver
        self._turns = turns

    @property
    def views(self) -> Sequence[Resolver]:
        return [_Fresh(view, self._turns) for view in self._resolver.views]

    async def mx(self, name: str) -> Found[Mx] | Missing | Unknown:
        async with self._turns:
            return await self._resolver.mx(name)

    async def txt(self, name: str) -> Found[str] | Missing | Unknown:
        async with self._turns:
            return await self._resolver.txt(name)

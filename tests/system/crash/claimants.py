"""Agents that claim unassigned tickets through any running API process.

A `200` proves that the ticket was assigned to the agent. A claim without a response may have succeeded.
"""

import asyncio
import itertools
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import aiohttp

_PATIENCE = aiohttp.ClientTimeout(total=10)


class Claimants:
    """Claims unassigned tickets until the `async with` block ends.

    `claimed` lists, for each ticket, the users that received a `200`. `unanswered` counts claims without a response.
    """

    def __init__(self, users: Mapping[str, str], apis: Callable[[], list[str]]) -> None:
        self._users = users
        self._apis = apis
        self._tasks: list[asyncio.Task[None]] = []
        self._next_api = itertools.count()
        self.claimed: dict[str, list[str]] = {}
        self.unanswered = 0

    async def __aenter__(self) -> Self:
        self._http = await aiohttp.ClientSession(timeout=_PATIENCE).__aenter__()
        self._tasks = [asyncio.create_task(self._claim_repeatedly(user, key)) for user, key in self._users.items()]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        ended = await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._http.close()
        if kind is None:
            for end in ended:
                if isinstance(end, Exception):
                    raise end

    async def _claim_repeatedly(self, user: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        while True:
            apis = self._apis()
            if not apis:
                await asyncio.sleep(0.01)
                continue
            root = f"http://{apis[next(self._next_api) % len(apis)]}/api/emails/tickets"
            tickets: list[dict[str, Any]] = []
            with suppress(aiohttp.ClientError, TimeoutError):
                async with self._http.get(f"{root}/unassigned", headers=headers) as response:
                    if response.status == 200:
                        tickets = (await response.json())["tickets"]
            for ticket in tickets:
                try:
                    async with self._http.post(f"{root}/{ticket['id']}/claim", headers=headers) as response:
                        if response.status == 200:
                            self.claimed.setdefault(ticket["id"], []).append(user)
                        else:
                            assert response.status in (409, 503), await response.text()
                except (aiohttp.ClientError, TimeoutError):
                    self.unanswered += 1
                    break
            if not tickets:
                await asyncio.sleep(0.01)

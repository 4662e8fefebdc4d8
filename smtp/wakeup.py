"""A flag that one task waits for and resets: like an `asyncio.Event`, at lower cost."""

from __future__ import annotations

import asyncio


class Wakeup:
    """A flag that `wait` resets. Only one task may wait."""

    __slots__ = ("_future", "_loop", "_set")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._set = False
        self._future: asyncio.Future[None] | None = None

    def set(self) -> None:
        self._set = True
        future, self._future = self._future, None
        if future is not None and not future.done():
            future.set_result(None)

    async def wait(self) -> None:
        if not self._set:
            self._future = self._loop.create_future()
            await self._future
        self._set = False

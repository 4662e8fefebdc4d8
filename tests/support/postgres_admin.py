"""A connection to the maintenance database of a server for tests, which stays open between tests."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg


class AdminConnection:
    """One connection for all event loops of a process; it is opened at the first use, and again when it is lost.

    Each test has an event loop of its own, and a connection of asyncpg belongs to one loop. This one has its own loop,
    which runs only during `run`, in a thread.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Any = None

    async def run(self, work: Callable[[Any], Awaitable[object]]) -> None:
        """Awaits `work(connection)`. Waits for other calls."""
        await asyncio.to_thread(self._run_in_thread, work)

    def close(self) -> None:
        """Closes the connection. Blocks; the caller's thread must not run an event loop."""
        with self._lock:
            if self._loop is not None:
                self._discard()
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())  # also closes the socket, like any run
                self._loop.close()
                self._loop = None

    def _run_in_thread(self, work: Callable[[Any], Awaitable[object]]) -> None:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
            self._loop.run_until_complete(self._run(work))

    async def _run(self, work: Callable[[Any], Awaitable[object]]) -> None:
        if not await self._is_usable():
            self._discard()
            self._connection = await asyncpg.connect(self._url, timeout=30)
        await work(self._connection)

    async def _is_usable(self) -> bool:
        """False if there is no connection, or the server has been restarted or has ended the session."""
        if self._connection is None:
            return False
        try:
            await self._connection.execute("SELECT 1")
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return False
        return True

    def _discard(self) -> None:
        """Terminates the connection; the next run of the loop closes its socket."""
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

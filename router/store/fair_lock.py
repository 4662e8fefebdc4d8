"""A fair lock for the single writer of SQLite, shared by threads and coroutines of this process.

With SQLite's own lock, a second writer sleeps and retries; under load, its busy timeout may expire first. Other
processes that use the same file still rely on SQLite's lock.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable


class FairLock:
    """A first-come, first-served lock for threads and coroutines."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_locked = False
        self._waiting: deque[Callable[[], None]] = deque()

    def acquire_in_thread(self) -> None:
        granted = threading.Event()
        if not self._acquire_or_queue(granted.set):
            granted.wait()

    def try_acquire(self) -> bool:
        with self._mutex:
            entered = not self._is_locked
            self._is_locked = True
        return entered

    async def acquire(self) -> None:
        """Waits for the lock. A cancelled task that receives the lock passes it to the next waiter."""
        loop = asyncio.get_running_loop()
        granted: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(grant)

        def grant() -> None:
            if granted.cancelled():
                self.release()
            else:
                granted.set_result(None)

        if self._acquire_or_queue(wake):
            return
        try:
            await granted
        except asyncio.CancelledError:
            if granted.done() and not granted.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Must be called exactly once for each acquisition."""
        with self._mutex:
            next_waiter = self._waiting.popleft() if self._waiting else None
            self._is_locked = next_waiter is not None
        if next_waiter is not None:
            next_waiter()

    def _acquire_or_queue(self, wake: Callable[[], None]) -> bool:
        with self._mutex:
            if not self._is_locked:
                self._is_locked = True
                return True
            self._waiting.append(wake)
            return False

"""Lets one writer of this process through at a time, first come first served, threads and coroutines alike.

SQLite has one writer; a second one that finds it busy sleeps and tries again, and under load it may sleep through
every gap. Waiting here instead costs a wake-up and is fair. Other processes on the same file still meet SQLite's
own busy timeout.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable


class FairLock:
    """A fair lock with a door for threads (`enter_thread`) and one for the event loop (`enter`)."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._is_locked = False
        self._waiting: deque[Callable[[], None]] = deque()

    def acquire_in_thread(self) -> None:
        """Blocks the calling thread until it is its turn."""
        granted = threading.Event()
        if not self._acquire_or_queue(granted.set):
            granted.wait()

    def try_acquire(self) -> bool:
        """Enters if nobody is in, without waiting; whether it did."""
        with self._mutex:
            entered = not self._is_locked
            self._is_locked = True
        return entered

    async def acquire(self) -> None:
        """Waits for the turn; a cancelled waiter passes its turn on."""
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
        """Lets the next one in; called exactly once for each time in."""
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

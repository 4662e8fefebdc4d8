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
        turn = threading.Event()
        if not self._acquire_or_queue(turn.set):
            turn.wait()

    def try_acquire(self) -> bool:
        """Enters if nobody is in, without waiting; whether it did."""
        with self._mutex:
            entered = not self._is_locked
            self._is_locked = True
        return entered

    async def acquire(self) -> None:
        """Waits for the turn; a cancelled waiter passes its turn on."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(grant)

        def grant() -> None:
            if turn.cancelled():
                self.release()
            else:
                turn.set_result(None)

        if self._acquire_or_queue(wake):
            return
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()
            raise

    def release(self) -> None:
        """Lets the next one in; called exactly once for each time in."""
        with self._mutex:
            following = self._waiting.popleft() if self._waiting else None
            self._is_locked = following is not None
        if following is not None:
            following()

    def _acquire_or_queue(self, wake: Callable[[], None]) -> bool:
        with self._mutex:
            if not self._is_locked:
                self._is_locked = True
                return True
            self._waiting.append(wake)
            return False

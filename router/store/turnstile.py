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


class Turnstile:
    """A fair lock with a door for threads (`enter_thread`) and one for the event loop (`enter`)."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._busy = False
        self._waiting: deque[Callable[[], None]] = deque()

    def enter_thread(self) -> None:
        """Blocks the calling thread until it is its turn."""
        turn = threading.Event()
        if not self._take_or_queue(turn.set):
            turn.wait()

    def try_enter(self) -> bool:
        """Enters if nobody is in, without waiting; whether it did."""
        with self._mutex:
            entered = not self._busy
            self._busy = True
        return entered

    async def enter(self) -> None:
        """Waits for the turn; a cancelled waiter passes its turn on."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()

        def wake() -> None:
            loop.call_soon_threadsafe(grant)

        def grant() -> None:
            if turn.cancelled():
                self.leave()
            else:
                turn.set_result(None)

        if self._take_or_queue(wake):
            return
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        """Lets the next one in; called exactly once for each time in."""
        with self._mutex:
            following = self._waiting.popleft() if self._waiting else None
            self._busy = following is not None
        if following is not None:
            following()

    def _take_or_queue(self, wake: Callable[[], None]) -> bool:
        with self._mutex:
            if not self._busy:
                self._busy = True
                return True
            self._waiting.append(wake)
            return False

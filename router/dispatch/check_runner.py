"""Checks the senders of new messages, before the messages are posted.

A delivery waits for these checks only for a limited time, which its row contains. So a slow resolver, a fault here or a
process that is killed can delay a post by seconds, but never lose it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol, TypeVar

import structlog

from router.checks.check_queue import CheckQueue, QueuedMessage
from router.checks.check_transaction import StoredChecks
from router.checks.results import MessageChecks, without_results
from router.clock import Clock
from router.errors import DatabaseFileReplaced, Unavailable
from router.meter import NULL_METER, Meter

# Checks mostly wait for DNS. Each holds the first chunk of its message (at most 256 KiB), and few a whole message. With
# DNS that does not answer, this many are completed in each `[checks] deadline`.
MAX_CONCURRENT = 128
# The checks of these that users asked for: the rest stays free for new messages, whose posts wait.
MAX_RECHECKS = 16
# After this many checks that ended with their process, the message is not checked any more.
MAX_CLAIMS = 3
# The shortest and the longest delay between two attempts while the database is unavailable.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.1, 2.0

T = TypeVar("T")
log = structlog.get_logger()


class Evaluator(Protocol):
    """Checks the sender of one message."""

    async def evaluate(self, queued: QueuedMessage) -> MessageChecks:
        """Returns within the deadline of the checks; what is missing then is `temperror`."""
        ...

    async def give_up(self, queued: QueuedMessage, reason: str) -> MessageChecks:
        """Returns what is known of the sender without authentication, whose results are `temperror`."""
        ...


class CheckRunner:
    """Checks queued messages until `stop`. Use one instance per deliver process.

    Args:
        wake: Receives the integrations with deliveries that became due.
    """

    def __init__(
        self,
        queue: CheckQueue,
        evaluator: Evaluator,
        clock: Clock,
        wake: Callable[[Iterable[str]], None],
        *,
        poll_interval: float,
        meter: Meter = NULL_METER,
    ) -> None:
        self._queue = queue
        self._evaluator = evaluator
        self._clock = clock
        self._wake_integrations = wake
        self._poll_interval = poll_interval
        self._meter = meter
        self._running: dict[str, asyncio.Task[None]] = {}  # by message id
        self._rechecks: set[str] = set()  # those of `_running` that users asked for
        self._changed = asyncio.Event()
        self._stopping = False

    def wake(self) -> None:
        """Tells that a message was queued. Cheap; may be called often."""
        self._changed.set()

    def stop(self) -> None:
        """Ends the claiming of messages. `run` then gives the claimed ones back and returns."""
        self._stopping = True
        self._changed.set()

    async def run(self) -> None:
        await self._ignore_unavailable(self._queue.release_dead_owners)
        while not self._stopping:
            self._changed.clear()
            is_full = await self._start_checks()
            if not is_full or len(self._running) >= MAX_CONCURRENT:
                await self._wait()
        await self._stop_checks()

    async def _start_checks(self) -> bool:
        """Claims messages and starts their checks. Returns whether there may be more."""
        free = MAX_CONCURRENT - len(self._running)
        if free <= 0:
            return True
        try:
            claimed = await self._queue.claim(free, rechecks=MAX_RECHECKS - len(self._rechecks))
        except Unavailable as error:
            if not isinstance(error, DatabaseFileReplaced):
                log.warning("checks.database_unavailable", reason=str(error))
            return False
        for queued in claimed:
            if queued.message.id in self._running:  # its results could not be stored for the time of a claim
                continue
            if queued.is_recheck:
                self._rechecks.add(queued.message.id)
            self._running[queued.message.id] = asyncio.get_running_loop().create_task(self._check(queued))
        return len(claimed) == free

    async def _check(self, queued: QueuedMessage) -> None:
        message_id = queued.message.id
        try:
            checks = await self._retry(message_id, lambda: self._evaluate(queued))
            stored = await self._retry(message_id, lambda: self._queue.store(queued.message, checks))
            self._log(message_id, checks, stored)
            for result in checks.results:
                self._meter.record_sender_check(result.method, result.result)
            self._wake_integrations(stored.due_integrations)
        except Exception:  # the deliveries become due without the results
            log.exception("checks.internal_error", message_id=message_id)
        finally:
            del self._running[message_id]
            self._rechecks.discard(message_id)
            self._changed.set()

    async def _evaluate(self, queued: QueuedMessage) -> MessageChecks:
        if queued.claims > MAX_CLAIMS:
            return await self._give_up(queued, "the checks were interrupted several times")
        try:
            return await self._evaluator.evaluate(queued)
        except Unavailable:
            raise
        except Exception:  # a fault of ours must not hide the message
            log.exception("checks.internal_error", message_id=queued.message.id)
            return await self._give_up(queued, "internal error")

    async def _give_up(self, queued: QueuedMessage, reason: str) -> MessageChecks:
        try:
            return await self._evaluator.give_up(queued, reason)
        except Unavailable:
            raise
        except Exception:  # what ended the check may end this, too
            log.exception("checks.internal_error", message_id=queued.message.id)
            return without_results(reason, self._clock.now())

    async def _retry(self, message_id: str, work: Callable[[], Awaitable[T]]) -> T:
        """Repeats the work while the database is unavailable."""
        delay = RETRY_MIN_SECONDS
        while True:
            try:
                return await work()
            except Unavailable as error:
                if not isinstance(error, DatabaseFileReplaced):
                    log.warning("checks.database_unavailable", message_id=message_id, reason=str(error))
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MAX_SECONDS)

    def _log(self, message_id: str, checks: MessageChecks, stored: StoredChecks) -> None:
        log.info("checks.done", message_id=message_id, **checks.words(), spam=stored.is_spam, flagged=stored.is_flagged)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_interval):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _stop_checks(self) -> None:
        """Cancels the running checks and gives their messages back: another process repeats the checks."""
        claimed = dict(self._running)
        for task in claimed.values():
            task.cancel()
        await asyncio.gather(*claimed.values(), return_exceptions=True)
        await self._ignore_unavailable(lambda: self._queue.give_back(list(claimed)))

    async def _ignore_unavailable(self, work: Callable[[], Awaitable[None]]) -> None:
        """Runs work that only shortens a wait."""
        try:
            await work()
        except Unavailable as error:
            log.warning("checks.database_unavailable", reason=str(error))


class LocalWaker:
    """The `Waker` of a process that delivers. `check_runner` is None if senders are not checked."""

    def __init__(
        self,
        wake: Callable[[Iterable[str]], None],
        check_runner: CheckRunner | None,
        wake_submissions: Callable[[], None],
        wake_bounces: Callable[[], None],
    ) -> None:
        self.wake = wake
        self.wake_submissions = wake_submissions
        self.wake_bounces = wake_bounces
        self._check_runner = check_runner

    def wake_checks(self) -> None:
        if self._check_runner is not None:
            self._check_runner.wake()

"""Submits the mail that is due at smarthosts until `stop`. Use one instance per deliver process.

Each mail has a task: it sends the mail, renews its lease meanwhile, and records the outcome. If the outcome cannot be
recorded, the attempt stays open, and the mail is sent again after its lease.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import structlog

from router.clock import SECOND, Clock
from router.dispatch.submission_outbox import SubmissionOutbox
from router.dispatch.submission_sender import SentMail
from router.dispatch.submission_work import (
    CompletedSubmission,
    NotSubmitted,
    Recorded,
    Submission,
    SubmissionClaim,
    describe_answer,
    end_name,
)
from router.errors import DatabaseFileReplaced, Unavailable
from router.meter import NULL_METER, Meter
from router.outbound.smarthost.outcome import SubmissionOutcome
from router.replies.sending import INSTALLATION
from router.side_tasks import SideTasks

# Maximum number of mails that a process submits at the same time, to all smarthosts of domains together. That of the
# installation is not among them: those that users have set must not stop the mail of all others.
MAX_CONCURRENT = 32
# A third of the lease, so that one renewal may fail.
RENEWAL_SECONDS = 20.0
# A repair is needed only after the smarthost of a domain was removed during a submission.
REPAIR_INTERVAL_SECONDS = 600.0
CANCEL_INTERVAL_SECONDS = 0.2
# The shortest and the longest delay between two attempts to record an outcome.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.1, 2.0

log = structlog.get_logger()


class MailSender(Protocol):
    """Submits a mail (`router.dispatch.submission_sender.SubmissionSender`)."""

    async def send(self, submission: Submission, before_final_dot: Callable[[], Awaitable[None]]) -> SentMail: ...


class _LeaseLost(Exception):  # noqa: N818 - another process sends the mail, or it was removed
    """The mail must not be sent by this process."""


class _Stopped(Exception):  # noqa: N818 - a request
    """The process stops, and the final dot was not sent."""


@dataclass(slots=True, eq=False)
class _Running:
    """A mail that is being sent.

    Attributes:
        must_finish: The task is not cancelled by `stop`: the final dot may have been sent, or the outcome is recorded.
    """

    submission: Submission
    task: asyncio.Task[None] | None = None
    must_finish: bool = False


class SubmissionRunner:
    """Submits due mail.

    Args:
        wake: Receives the integrations with due posts.
        concurrency: Maximum number of connections to one smarthost.
        drain: Maximum seconds after `stop` for the answers to final dots, and for outcomes to be recorded.
        smarthost_url: The URL of the smarthost of the configuration, "" without one.
    """

    def __init__(
        self,
        outbox: SubmissionOutbox,
        sender: MailSender,
        clock: Clock,
        wake: Callable[[Iterable[str]], None],
        *,
        concurrency: int,
        drain: float,
        poll_interval: float,
        smarthost_url: str,
        meter: Meter = NULL_METER,
        side_tasks: SideTasks | None = None,
    ) -> None:
        self._outbox = outbox
        self._sender = sender
        self._clock = clock
        self._wake_integrations = wake
        self._concurrency = concurrency
        self._drain = drain
        self._poll_interval = poll_interval
        self._smarthost_url = smarthost_url
        self._side_tasks = side_tasks or SideTasks()
        self._meter = self._side_tasks.wrap_meter(meter)
        self._running: dict[str, _Running] = {}  # by delivery id
        self._changed = asyncio.Event()
        self._stopping = False
        self._repair_at = float("-inf")

    def wake(self) -> None:
        """Tells that mail is due. Cheap; may be called often."""
        self._changed.set()

    def stop(self) -> None:
        """Ends the claiming of mail. `run` returns when all outcomes are recorded, or after `drain` seconds."""
        self._stopping = True
        self._cancel_tasks()
        self._changed.set()

    def _cancel_tasks(self) -> None:
        """Cancels the tasks whose final dot was not sent."""
        for running in self._running.values():
            if not running.must_finish and running.task is not None:
                running.task.cancel()

    async def run(self) -> None:
        is_started = False
        while not self._stopping:
            self._changed.clear()
            try:
                if not is_started:
                    await self._outbox.start(self._smarthost_url)
                    is_started = True
                await self._start_submissions()
            except Unavailable as error:
                if not isinstance(error, DatabaseFileReplaced):
                    log.warning("submission.database_unavailable", reason=str(error))
            await self._wait()
        await self._drain_tasks()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_interval):
                await self._changed.wait()
        except TimeoutError:
            return

    async def _start_submissions(self) -> None:
        """Claims due mail and starts its tasks."""
        if self._clock.monotonic() >= self._repair_at:
            await self._outbox.repair()
            self._repair_at = self._clock.monotonic() + REPAIR_INTERVAL_SECONDS
        ready = [smarthost.id for smarthost in await self._outbox.find_ready()]
        slots = self._free_slots(ready)
        if not slots or self._stopping:
            return
        in_flight = Counter(each.submission.workspace_id for each in self._running.values())
        claimed = await self._outbox.claim(SubmissionClaim(slots, in_flight))
        if claimed.due_integrations:
            self._wake_integrations(claimed.due_integrations)
        for submission in claimed.submissions:
            if submission.delivery_id in self._running:  # its lease has ended before its outcome was recorded
                continue
            running = _Running(submission)
            self._running[submission.delivery_id] = running
            running.task = asyncio.get_running_loop().create_task(self._submit(running))
        if claimed.submissions:  # there may be more
            self._changed.set()

    def _free_slots(self, ready: Iterable[str]) -> dict[str, int]:
        """Divides the free connections among the smarthosts; those with the fewest connections are first."""
        used = Counter(each.submission.smarthost_id for each in self._running.values())
        free = MAX_CONCURRENT - (len(self._running) - used[INSTALLATION])
        slots = {}
        for smarthost_id in sorted(ready, key=lambda each: used[each]):
            own = self._concurrency - used[smarthost_id]
            count = own if smarthost_id == INSTALLATION else min(own, free)
            if count > 0:
                slots[smarthost_id] = count
                free -= 0 if smarthost_id == INSTALLATION else count
        return slots

    async def _submit(self, running: _Running) -> None:
        submission = running.submission
        try:
            sent = await self._send(running)
            running.must_finish = True
            if sent is None:
                return
            completed = CompletedSubmission(
                submission,
                sent.end,
                random.random(),  # noqa: S311 - jitter, not a secret
                is_sender_replaced=sent.is_sender_replaced,
            )
            recorded = await self._record(completed)
            self._report(completed, recorded)
        except Exception:  # the mail is sent again when the lease ends; `max_claims` limits this
            log.exception("submission.internal_error", delivery_id=submission.delivery_id)
        finally:
            del self._running[submission.delivery_id]
            self._changed.set()

    async def _send(self, running: _Running) -> SentMail | None:
        """Sends the mail; returns None if nothing must be recorded, because another process has its lease."""
        renewal = asyncio.create_task(self._renew(running))
        try:
            return await self._sender.send(running.submission, lambda: self._begin_final_dot(running))
        except (_Stopped, asyncio.CancelledError):
            if running.must_finish or not self._stopping:
                raise
            _uncancel()
            return SentMail(NotSubmitted("not sent: the program was stopped", is_counted=False))
        except _LeaseLost:
            log.warning("submission.lease_lost", delivery_id=running.submission.delivery_id)
            return None
        except Unavailable as error:  # its text is for operators
            log.warning("submission.database_unavailable", reason=str(error))
            return SentMail(NotSubmitted("not sent: the database was unavailable"))
        except Exception as error:  # noqa: BLE001 - every mail gets an outcome
            fault = error
            self._side_tasks.run("log", lambda: _log_internal_error(running.submission, fault))
            return SentMail(NotSubmitted(f"not sent: internal error ({type(error).__name__})"))
        finally:
            renewal.cancel()

    async def _begin_final_dot(self, running: _Running) -> None:
        """Commits that the final dot is about to be sent. No task switch follows until it is written."""
        if not await self._outbox.begin_final_dot(running.submission):
            raise _LeaseLost
        if self._stopping:
            raise _Stopped
        running.must_finish = True

    async def _renew(self, running: _Running) -> None:
        """Renews the lease until the final dot, which has a longer one. Cancelled when the transaction ends."""
        while True:
            await asyncio.sleep(RENEWAL_SECONDS)
            if running.must_finish:
                return
            try:
                await self._outbox.renew(running.submission)
            except Unavailable as error:
                log.warning("submission.database_unavailable", reason=str(error))

    async def _record(self, completed: CompletedSubmission) -> Recorded:
        """Records an outcome, however long the database is unavailable."""
        delay = RETRY_MIN_SECONDS
        while True:
            try:
                return await self._outbox.record(completed)
            except Unavailable as error:
                if not isinstance(error, DatabaseFileReplaced):
                    log.warning("submission.database_unavailable", reason=str(error))
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
                delay = min(delay * 2, RETRY_MAX_SECONDS)

    def _report(self, completed: CompletedSubmission, recorded: Recorded) -> None:
        end = completed.end
        self._side_tasks.run("log", lambda: _log_end(completed, recorded))
        latency = end.latency / SECOND if isinstance(end, SubmissionOutcome) else 0.0
        self._meter.record_submission(end_name(end), latency)
        if recorded.due_integrations:
            self._wake_integrations(recorded.due_integrations)

    async def _drain_tasks(self) -> None:
        """Waits for the tasks. One that does not end in time is cancelled, and its attempt stays open."""
        tasks = {each.task: each for each in self._running.values() if each.task is not None}
        if not tasks:
            return
        now = asyncio.get_running_loop().time
        end = now() + self._drain
        unfinished = set(tasks)
        while unfinished and (remaining := end - now()) > 0:
            # Again and again: until Python 3.12, `asyncio.wait_for` can swallow a cancellation.
            self._cancel_tasks()
            _, unfinished = await asyncio.wait(unfinished, timeout=min(CANCEL_INTERVAL_SECONDS, remaining))
        for task in unfinished:
            log.error("submission.outcome_not_saved", delivery_id=tasks[task].submission.delivery_id)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _uncancel() -> None:
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _log_internal_error(submission: Submission, fault: Exception) -> None:
    log.error("submission.internal_error", delivery_id=submission.delivery_id, exc_info=fault)


def _log_end(completed: CompletedSubmission, recorded: Recorded) -> None:
    submission, end = completed.submission, completed.end
    facts = {
        "delivery_id": submission.delivery_id,
        "reply_id": submission.reply_id,
        "ticket_id": submission.ticket_id,
        "smarthost_id": submission.smarthost_id,
        "attempt": submission.n,
    }
    if recorded.is_late:
        facts["late"] = True
    if not isinstance(end, SubmissionOutcome):
        reason = end.reason if isinstance(end, NotSubmitted) else "the domain has another smarthost now"
        log.info("submission.not_sent", reason=reason, **facts)
        return
    facts |= {"code": end.code, "stage": end.stage, "latency_ms": round(end.latency / 1000, 1)}
    if end.kind == "accepted":
        log.info("submission.sent", **facts)
    elif end.kind == "retry":
        log.warning("submission.retry_scheduled", reason=describe_answer(end), **facts)
    else:
        log.warning("submission.failed", kind=end.kind, reason=describe_answer(end), **facts)

"""Runs one worker for each integration with due deliveries, at most `concurrency` at a time.

A slow webhook occupies only its own worker. If the outcome of an attempt cannot be recorded, the attempt stays open,
and the delivery is sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable
from typing import Protocol

import structlog

from router.channels.contract import SendFailure, SendOutcome, SendRetry, SendSuccess
from router.clock import SECOND, Clock
from router.dispatch.delivery_batch import CompletedBatch, DeliveryBatch, NotSent, PacingDelay, outcome_name
from router.dispatch.outbox import Outbox
from router.errors import DatabaseFileReplaced, RowLocked, Unavailable
from router.lease_owner import is_dead
from router.meter import NULL_METER, Meter
from router.side_tasks import SideTasks

# A poll finds work whose wake-up was lost. Retries are no more precise than this interval.
POLL_INTERVAL_SECONDS = 0.5
# A repair is needed only after a clock was set back, or an integration was deleted during an accept transaction.
REPAIR_INTERVAL_SECONDS = 600.0
# The shortest and the longest delay between two attempts to record an outcome.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.1, 2.0

log = structlog.get_logger()


class DeliverySender(Protocol):
    """Sends a delivery batch to its integration."""

    async def send(self, batch: DeliveryBatch) -> SendOutcome:
        """Sends the batch before `lease_until` of its integration. A failure of the endpoint is also an outcome.

        Raises:
            Unavailable: The database or the parser is unavailable.
        """
        ...


class Dispatcher:
    """Runs workers until `stop`. Use one instance per deliver process.

    Args:
        drain: Maximum seconds after `stop` for requests in progress to end and their outcomes to be recorded.
    """

    def __init__(
        self,
        outbox: Outbox,
        sender: DeliverySender,
        clock: Clock,
        *,
        concurrency: int,
        drain: float,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        meter: Meter = NULL_METER,
        side_tasks: SideTasks | None = None,
    ) -> None:
        self._side_tasks = side_tasks or SideTasks()
        self._outbox = outbox
        self._sender = sender
        self._clock = clock
        self._concurrency = concurrency
        self._drain = drain
        self._poll_interval = poll_interval
        self._meter = self._side_tasks.wrap_meter(meter)
        self._due: dict[str, None] = {}  # integration ids, in the order in which they were added
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._repair_at = float("-inf")

    def wake(self, integration_ids: Iterable[str]) -> None:
        """Marks integrations as having due deliveries. Cheap; may be called often."""
        for integration_id in integration_ids:
            self._due[integration_id] = None
        self._changed.set()

    def stop(self) -> None:
        """Ends the claiming of deliveries. `run` returns when all outcomes are recorded, or after `drain` seconds."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        await self._release_dead_owners()
        poll_at = self._clock.monotonic()
        while not self._stopping.is_set():
            if self._clock.monotonic() >= poll_at:
                await self._poll()
                poll_at = self._clock.monotonic() + self._poll_interval
            self._changed.clear()
            self._start_workers()
            await _wait(self._changed, poll_at - self._clock.monotonic())
        await self._drain_workers()

    async def _drain_workers(self) -> None:
        """Waits for the workers. A worker that does not end in time is cancelled, and its attempt stays open."""
        if not self._workers:
            return
        workers = {worker: integration_id for integration_id, worker in self._workers.items()}
        _, unfinished = await asyncio.wait(workers, timeout=self._drain)
        for worker in unfinished:
            log.error("dispatch.outcome_not_saved", integration_id=workers[worker], after_seconds=self._drain)
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    def _start_workers(self) -> None:
        for integration_id in list(self._due):
            if len(self._workers) >= self._concurrency:
                return
            if integration_id not in self._workers:
                del self._due[integration_id]
                worker = asyncio.get_running_loop().create_task(self._run_worker(integration_id))
                self._workers[integration_id] = worker

    async def _poll(self) -> None:
        free_slots = self._concurrency - len(self._workers)
        if free_slots <= 0:
            return
        try:
            if self._clock.monotonic() >= self._repair_at:
                await self._outbox.repair()
                self._repair_at = self._clock.monotonic() + REPAIR_INTERVAL_SECONDS
            ready = await self._outbox.find_ready_integrations(free_slots)
        except Unavailable as error:
            if not isinstance(error, DatabaseFileReplaced):
                log.warning("dispatch.database_unavailable", reason=str(error))
            return
        for integration_id in ready:
            if integration_id not in self._workers:
                self._due[integration_id] = None

    async def _run_worker(self, integration_id: str) -> None:
        try:
            completed: CompletedBatch | None = None
            while True:
                try:
                    claimed = await self._claim_and_record(integration_id, completed)
                finally:
                    if completed is not None:  # report an outcome only after recording has ended
                        self._report_outcome(completed)
                completed = None
                match claimed:
                    case None:
                        return
                    case PacingDelay(until=until):
                        await _wait(self._stopping, (until - self._clock.now()) / 1_000_000)
                    case DeliveryBatch():
                        outcome = await self._send(claimed)
                        completed = CompletedBatch(claimed, outcome, random.random())  # noqa: S311 - jitter, not a secret
        except Exception:
            # The delivery is retried when the lease expires; `max_claims` limits the retries.
            log.exception("dispatch.worker_failed", integration_id=integration_id)
        finally:
            del self._workers[integration_id]
            self._changed.set()

    async def _claim_and_record(
        self, integration_id: str, completed: CompletedBatch | None
    ) -> DeliveryBatch | PacingDelay | None:
        """Records the outcome of `completed` and claims the next deliveries.

        While the database is unavailable, or another transaction has locked what the outcome changes, retries if there
        is an outcome to record, and otherwise returns None.
        """
        delay = RETRY_MIN_SECONDS
        while True:
            try:
                stop = self._stopping.is_set()
                return await self._outbox.claim_and_record(integration_id, completed, stop=stop)
            except Unavailable as error:
                if isinstance(error, RowLocked):
                    if delay == RETRY_MAX_SECONDS:  # usually, the transaction has ended before
                        log.warning("dispatch.outcome_delayed", integration_id=integration_id, reason=str(error))
                elif not isinstance(error, DatabaseFileReplaced):
                    log.warning("dispatch.database_unavailable", integration_id=integration_id, reason=str(error))
                if completed is None:
                    return None
                # The jitter keeps a group that failed from forming again.
                await asyncio.sleep(delay * random.uniform(0.5, 1.0))  # noqa: S311 - not a secret
                delay = min(delay * 2, RETRY_MAX_SECONDS)

    async def _send(self, batch: DeliveryBatch) -> SendOutcome:
        try:
            outcome = await self._sender.send(batch)
        except Unavailable as error:
            outcome = NotSent(None, f"not sent: {error}")
        except Exception as error:  # noqa: BLE001 - every delivery gets an outcome
            fault = error
            self._side_tasks.run("log", lambda: _log_internal_error(batch, fault))
            outcome = SendRetry(None, f"not sent: internal error ({type(error).__name__})")
        return outcome

    def _report_outcome(self, completed: CompletedBatch) -> None:
        batch, outcome = completed.batch, completed.outcome
        self._side_tasks.run("log", lambda: _log_outcome(batch, outcome))
        if not batch.is_update:
            self._side_tasks.run("meter", lambda: self._count_outcome(batch, outcome))

    def _count_outcome(self, batch: DeliveryBatch, outcome: SendOutcome) -> None:
        self._meter.record_attempt(outcome_name(outcome), len(batch.deliveries), outcome.latency / SECOND)
        if isinstance(outcome, SendSuccess):
            now = self._clock.now()
            for delivery in batch.deliveries:
                # The clock of the host that accepted the message may be slightly ahead.
                self._meter.record_delivery(max(0, now - delivery.created_at) / SECOND)

    async def _release_dead_owners(self) -> None:
        """Releases the leases of dead processes of this host."""
        try:
            for owner in await self._outbox.lease_owners():
                if is_dead(owner):
                    await self._outbox.release_owner(owner)
                    log.info("dispatch.leases_released", owner=owner)
        except Unavailable as error:
            log.warning("dispatch.database_unavailable", reason=str(error))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _log_internal_error(batch: DeliveryBatch, fault: Exception) -> None:
    log.error("delivery.internal_error", delivery_ids=[delivery.id for delivery in batch.deliveries], exc_info=fault)


def _log_outcome(batch: DeliveryBatch, outcome: SendOutcome) -> None:
    for delivery, attempt in zip(batch.deliveries, batch.attempts, strict=True):
        facts = {
            "delivery_id": delivery.id,
            "message_id": delivery.message_id,
            "ticket_id": delivery.ticket_id,
            "integration_id": delivery.integration_id,
            "attempt": attempt,
            "status": outcome.status,
            "latency_ms": round(outcome.latency / 1000, 1),
        }
        match outcome:
            case SendSuccess():
                log.info("delivery.sent", via=batch.via, **facts)
            case SendRetry():
                log.warning("delivery.retry_scheduled", reason=outcome.reason, **facts)
            case SendFailure():
                log.warning("delivery.failed", kind=outcome.kind, reason=outcome.reason, **facts)

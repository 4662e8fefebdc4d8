"""Who works when: wakes for new mail at once, works each integration in a lane of its own, never two in one lane.

A lane takes an integration's lease, sends what is due one by one within its pace, and lets it go. Lanes do not wait
for each other: a slow webhook holds one of `concurrency` places, not all. Besides being woken the dispatcher looks
every `poll_interval` for what became due by time, was written by another process, or was left by a killed one.
Whatever fails in the database is tried again; an outcome is never dropped while the process lives, but for an end
that must not wait for ever: what is not written `drain` seconds after `stop` stays an open attempt, and is sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import structlog

from router.channels.contract import Channel, SendFailure, SendOutcome, SendRetry, SendSuccess
from router.clock import SECOND, Clock
from router.dispatch.outbox import CompletedBatch, DeliveryBatch, NotSent, Outbox, PacingDelay, outcome_name
from router.errors import StorageReplaced, Unavailable
from router.lease_owner import is_dead
from router.meter import UNMETERED, Meter
from router.side_tasks import SideTasks

# Seconds. Wakes come at once; this is the net under them, and the grain of retries.
POLL_INTERVAL_SECONDS = 0.5
# A clock that was set back is rare, and what it put off has waited for hours when it shows.
REPAIR_INTERVAL_SECONDS = 600.0
# While the database is away: the first wait and the longest.
RETRY_MIN_SECONDS, RETRY_MAX_SECONDS = 0.1, 2.0

log = structlog.get_logger()


class DeliverySender(Protocol):
    """Makes one request of a piece of work. Who answers: `router.dispatch.sender.TicketSender`."""

    async def send(self, work: DeliveryBatch) -> SendOutcome:
        """The outcome, whatever the far side does. Raises `Unavailable` when our own database is away."""
        ...


class Dispatcher:
    """One for each deliver process. `run` until `stop`; `wake` from anywhere on its loop."""

    def __init__(
        self,
        outbox: Outbox,
        sender: DeliverySender,
        channels: Mapping[str, Channel[Any]],
        clock: Clock,
        *,
        concurrency: int,
        drain: float,
        poll_interval: float = POLL_INTERVAL_SECONDS,
        meter: Meter = UNMETERED,
        side_tasks: SideTasks | None = None,
    ) -> None:
        """drain: seconds that what is under way at `stop` has for its outcome. poll_interval: in seconds."""
        self._side_tasks = side_tasks or SideTasks()
        self._outbox = outbox
        self._sender = sender
        self._digest_limit = min(channel.digest_limit for channel in channels.values())
        self._clock = clock
        self._concurrency = concurrency
        self._drain = drain
        self._poll_interval = poll_interval
        self._meter = self._side_tasks.meter(meter)
        self._due: dict[str, None] = {}  # integrations to look at, in the order they were asked for
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._stopping = asyncio.Event()
        self._repair_at = float("-inf")

    def wake(self, integration_ids: Iterable[str]) -> None:
        """These have something due now. Costs nothing; may be called often."""
        for integration_id in integration_ids:
            self._due[integration_id] = None
        self._changed.set()

    def stop(self) -> None:
        """Nothing new is begun; `run` returns when what is under way has its outcome, or no more time for it."""
        self._stopping.set()
        self._changed.set()

    async def run(self) -> None:
        """Works until `stop`."""
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
        """The lanes come to their ends. The lease of one that does not ends by itself; then its attempt is known."""
        if not self._workers:
            return
        workers = {worker: integration_id for integration_id, worker in self._workers.items()}
        _, late = await asyncio.wait(workers, timeout=self._drain)
        for worker in late:
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
            if not isinstance(error, StorageReplaced):
                log.warning("dispatch.database_unavailable", reason=str(error))
            return
        for integration_id in ready:
            if integration_id not in self._workers:
                self._due[integration_id] = None

    async def _run_worker(self, integration_id: str) -> None:
        """One lane, from its first turn to its last."""
        try:
            finished: CompletedBatch | None = None
            while True:
                try:
                    claimed = await self._claim_and_record(integration_id, finished)
                finally:
                    if finished is not None:  # written, or beyond writing: only now is it logged and counted
                        self._report_outcome(finished)
                finished = None
                match claimed:
                    case None:
                        return
                    case PacingDelay(until=until):
                        await _wait(self._stopping, (until - self._clock.now()) / 1_000_000)
                    case DeliveryBatch():
                        outcome = await self._send(claimed)
                        finished = CompletedBatch(claimed, outcome, random.random())  # noqa: S311 - spreads load, guards nothing
        except Exception:
            # The lease ends by itself and the delivery counts its claims: the lane is taken up again, boundedly.
            log.exception("dispatch.worker_failed", integration_id=integration_id)
        finally:
            del self._workers[integration_id]
            self._changed.set()

    async def _claim_and_record(
        self, integration_id: str, finished: CompletedBatch | None
    ) -> DeliveryBatch | PacingDelay | None:
        """As `Outbox.turn`; with an outcome in hand it tries until that is written, also while stopping."""
        delay = RETRY_MIN_SECONDS
        while True:
            try:
                stop = self._stopping.is_set()
                return await self._outbox.claim_and_record(integration_id, finished, self._digest_limit, stop=stop)
            except Unavailable as error:
                if not isinstance(error, StorageReplaced):
                    log.warning("dispatch.database_unavailable", integration_id=integration_id, reason=str(error))
                if finished is None:
                    return None
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MAX_SECONDS)

    async def _send(self, work: DeliveryBatch) -> SendOutcome:
        try:
            if self._clock.now() >= work.integration.lease_until:
                # This process was stopped past its lease (a suspended host): another one may be sending this by now.
                outcome: SendOutcome = NotSent(None, "not sent: the lease expired")
            else:
                outcome = await self._sender.send(work)
        except Unavailable as error:
            outcome = NotSent(None, f"not sent: {error}")
        except Exception as error:  # noqa: BLE001 - whatever it is, the delivery has an outcome
            fault = error
            self._side_tasks.run("log", lambda: _log_internal_error(work, fault))
            outcome = SendRetry(None, f"not sent: internal error ({type(error).__name__})")
        return outcome

    def _report_outcome(self, finished: CompletedBatch) -> None:
        work, outcome = finished.work, finished.outcome
        self._side_tasks.run("log", lambda: _log_outcome(work, outcome))
        self._side_tasks.run("meter", lambda: self._count_outcome(work, outcome))

    def _count_outcome(self, work: DeliveryBatch, outcome: SendOutcome) -> None:
        self._meter.attempted(outcome_name(outcome), len(work.deliveries), outcome.latency / SECOND)
        if isinstance(outcome, SendSuccess):
            now = self._clock.now()
            for delivery in work.deliveries:
                # The host that accepted it may have a clock that is a little ahead.
                self._meter.delivered(max(0, now - delivery.created_at) / SECOND)

    async def _release_dead_owners(self) -> None:
        """What a killed process of this machine held need not wait for the end of its lease."""
        try:
            for owner in await self._outbox.lease_owners():
                if is_dead(owner):
                    await self._outbox.release_owner(owner)
                    log.info("dispatch.leases_released", owner=owner)
        except Unavailable as error:
            log.warning("dispatch.database_unavailable", reason=str(error))


async def _wait(event: asyncio.Event, seconds: float) -> None:
    """Until the event, at most `seconds`."""
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def _log_internal_error(work: DeliveryBatch, fault: Exception) -> None:
    log.error("delivery.internal_error", delivery_ids=[delivery.id for delivery in work.deliveries], exc_info=fault)


def _log_outcome(work: DeliveryBatch, outcome: SendOutcome) -> None:
    """One log line for each delivery, with the message's id."""
    for delivery, attempt in zip(work.deliveries, work.attempts, strict=True):
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
                log.info("delivery.sent", via=work.form, **facts)
            case SendRetry():
                log.warning("delivery.retry_scheduled", reason=outcome.reason, **facts)
            case SendFailure():
                log.warning("delivery.failed", kind=outcome.kind, reason=outcome.reason, **facts)

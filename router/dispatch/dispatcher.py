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
from router.dispatch.outbox import Finished, NotSent, Outbox, Pause, Work, outcome_word
from router.errors import StorageReplaced, Unavailable
from router.lease_owner import is_dead
from router.meter import UNMETERED, Meter
from router.side_tasks import SideTasks

# Seconds. Wakes come at once; this is the net under them, and the grain of retries.
POLL_INTERVAL = 0.5
# A clock that was set back is rare, and what it put off has waited for hours when it shows.
MEND_INTERVAL = 600.0
# While the database is away: the first wait and the longest.
RETRY_FIRST, RETRY_MOST = 0.1, 2.0

log = structlog.get_logger()


class Sender(Protocol):
    """Makes one request of a piece of work. Who answers: `router.dispatch.sender.TicketSender`."""

    async def send(self, work: Work) -> SendOutcome:
        """The outcome, whatever the far side does. Raises `Unavailable` when our own database is away."""
        ...


class Dispatcher:
    """One for each deliver process. `run` until `stop`; `wake` from anywhere on its loop."""

    def __init__(
        self,
        outbox: Outbox,
        sender: Sender,
        channels: Mapping[str, Channel[Any]],
        clock: Clock,
        *,
        concurrency: int,
        drain: float,
        poll_interval: float = POLL_INTERVAL,
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
        self._wanted: dict[str, None] = {}  # integrations to look at, in the order they were asked for
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._something = asyncio.Event()
        self._stopping = asyncio.Event()
        self._mend_at = float("-inf")

    def wake(self, integration_ids: Iterable[str]) -> None:
        """These have something due now. Costs nothing; may be called often."""
        for integration_id in integration_ids:
            self._wanted[integration_id] = None
        self._something.set()

    def stop(self) -> None:
        """Nothing new is begun; `run` returns when what is under way has its outcome, or no more time for it."""
        self._stopping.set()
        self._something.set()

    async def run(self) -> None:
        """Works until `stop`."""
        await self._take_over_from_the_dead()
        look_at = self._clock.monotonic()
        while not self._stopping.is_set():
            if self._clock.monotonic() >= look_at:
                await self._look()
                look_at = self._clock.monotonic() + self._poll_interval
            self._something.clear()
            self._start_lanes()
            await _wait(self._something, look_at - self._clock.monotonic())
        await self._finish()

    async def _finish(self) -> None:
        """The lanes come to their ends. The lease of one that does not ends by itself; then its attempt is known."""
        if not self._lanes:
            return
        lanes = {lane: integration_id for integration_id, lane in self._lanes.items()}
        _, late = await asyncio.wait(lanes, timeout=self._drain)
        for lane in late:
            log.error("dispatch.outcome_not_saved", integration_id=lanes[lane], after_seconds=self._drain)
            lane.cancel()
        await asyncio.gather(*lanes, return_exceptions=True)

    def _start_lanes(self) -> None:
        for integration_id in list(self._wanted):
            if len(self._lanes) >= self._concurrency:
                return
            if integration_id not in self._lanes:
                del self._wanted[integration_id]
                lane = asyncio.get_running_loop().create_task(self._work(integration_id))
                self._lanes[integration_id] = lane

    async def _look(self) -> None:
        room = self._concurrency - len(self._lanes)
        if room <= 0:
            return
        try:
            if self._clock.monotonic() >= self._mend_at:
                await self._outbox.mend()
                self._mend_at = self._clock.monotonic() + MEND_INTERVAL
            found = await self._outbox.ready(room)
        except Unavailable as error:
            if not isinstance(error, StorageReplaced):
                log.warning("dispatch.database_unavailable", reason=str(error))
            return
        for integration_id in found:
            if integration_id not in self._lanes:
                self._wanted[integration_id] = None

    async def _work(self, integration_id: str) -> None:
        """One lane, from its first turn to its last."""
        try:
            finished: Finished | None = None
            while True:
                try:
                    turn = await self._turn(integration_id, finished)
                finally:
                    if finished is not None:  # written, or beyond writing: only now is it logged and counted
                        self._report(finished)
                finished = None
                match turn:
                    case None:
                        return
                    case Pause(until=until):
                        await _wait(self._stopping, (until - self._clock.now()) / 1_000_000)
                    case Work():
                        outcome = await self._send(turn)
                        finished = Finished(turn, outcome, random.random())  # noqa: S311 - spreads load, guards nothing
        except Exception:
            # The lease ends by itself and the delivery counts its claims: the lane is taken up again, boundedly.
            log.exception("dispatch.worker_failed", integration_id=integration_id)
        finally:
            del self._lanes[integration_id]
            self._something.set()

    async def _turn(self, integration_id: str, finished: Finished | None) -> Work | Pause | None:
        """As `Outbox.turn`; with an outcome in hand it tries until that is written, also while stopping."""
        wait = RETRY_FIRST
        while True:
            try:
                stop = self._stopping.is_set()
                return await self._outbox.turn(integration_id, finished, self._digest_limit, stop=stop)
            except Unavailable as error:
                if not isinstance(error, StorageReplaced):
                    log.warning("dispatch.database_unavailable", integration_id=integration_id, reason=str(error))
                if finished is None:
                    return None
                await asyncio.sleep(wait)
                wait = min(wait * 2, RETRY_MOST)

    async def _send(self, work: Work) -> SendOutcome:
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
            self._side_tasks.run("log", lambda: _log_fault(work, fault))
            outcome = SendRetry(None, f"not sent: internal error ({type(error).__name__})")
        return outcome

    def _report(self, finished: Finished) -> None:
        work, outcome = finished.work, finished.outcome
        self._side_tasks.run("log", lambda: _log_outcome(work, outcome))
        self._side_tasks.run("meter", lambda: self._count(work, outcome))

    def _count(self, work: Work, outcome: SendOutcome) -> None:
        self._meter.attempted(outcome_word(outcome), len(work.deliveries), outcome.latency / SECOND)
        if isinstance(outcome, SendSuccess):
            now = self._clock.now()
            for delivery in work.deliveries:
                # The host that accepted it may have a clock that is a little ahead.
                self._meter.delivered(max(0, now - delivery.created_at) / SECOND)

    async def _take_over_from_the_dead(self) -> None:
        """What a killed process of this machine held need not wait for the end of its lease."""
        try:
            for owner in await self._outbox.owners():
                if is_dead(owner):
                    await self._outbox.free_owner(owner)
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


def _log_fault(work: Work, fault: Exception) -> None:
    log.error("delivery.internal_error", delivery_ids=[delivery.id for delivery in work.deliveries], exc_info=fault)


def _log_outcome(work: Work, outcome: SendOutcome) -> None:
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

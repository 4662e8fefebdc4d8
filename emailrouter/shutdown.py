"""The steps of a stop: each has a bound, is named in the log when it takes long, and is given up when its time is over.

Giving up loses nothing: what was not committed was not confirmed, and every step survives `kill -9`. The bounds of all
steps together stay below the units' TimeoutStopSec with the default settings.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable

import structlog

from config.schema import Config

# Seconds after which a step that has not ended is named in the log.
SLOW_STEP_SECONDS = 3.0
# Seconds that a step has to end itself when it was cancelled.
CANCEL_SECONDS = 1.0

# Seconds for each step. SMTP: past [smtp] shutdown_grace, 10 for the commits that are being written and 2 to close.
SMTP_SECONDS = 12.0
# The last requests of new connections, 10 for those that run, and 2 to cut them off (api.server).
API_SECONDS = 13.0
# Past [delivery] timeout, for the text before a request and its outcome after it. While the database is away it is
# given up, and the delivery is sent again.
OUTCOME_SECONDS = 10.0
# Past the dispatcher's own bound, for the lanes that it cancels.
DISPATCHER_SECONDS = 2.0
# A commit each: the request counts of the last second, and when keys were last used.
RATE_LIMITS_SECONDS = 3.0
# Tasks that are cancelled and have nothing to finish.
BACKGROUND_SECONDS = 2.0
# The parts of the core. Every mail in the commit queue has lost its sender by now, and nothing is sent any more; idle
# workers of the contents end when their input does.
PART_SECONDS = {"commit queue": 5.0, "client": 2.0, "contents": 3.0}
# A scrape that is under way.
METRICS_SECONDS = 2.0
# 3 for statements that run, 2 to give their connections back.
DATABASE_SECONDS = 6.0

log = structlog.get_logger()


class Shutdown:
    """The stop of one process.

    Args:
        bound: Seconds from `arm` until the process is ended whatever it waits for; None for a process that does not
            end itself (tests, `demo`).
    """

    def __init__(self, bound: float | None = None) -> None:
        self._bound = bound
        self._steps: list[str] = []
        self._armed = False

    def start_timer(self) -> None:
        """The stop has begun. The bound holds until the interpreter has ended: threads could keep it for ever."""
        if self._bound is not None and not self._armed:
            self._armed = True
            timer = threading.Timer(self._bound, self._exit)
            timer.daemon = True
            timer.start()

    async def run_step(self, name: str, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        """Does one step of the stop in at most `seconds`; raises what it raises."""
        task = asyncio.ensure_future(work())
        self._steps.append(name)
        try:
            slow = min(SLOW_STEP_SECONDS, seconds)
            if not await _is_done_within(task, slow):
                log.warning("shutdown.step_slow", step=name, timeout_seconds=seconds)
                if not await _is_done_within(task, seconds - slow):
                    log.error("shutdown.step_timed_out", step=name, after_seconds=seconds)
                    task.cancel()
                    await _is_done_within(task, CANCEL_SECONDS)
                    return
            task.result()
        finally:
            task.cancel()
            self._steps.remove(name)

    def _exit(self) -> None:
        step = ", ".join(self._steps) or "interpreter exit"
        log.critical("shutdown.timed_out", step=step, after_seconds=self._bound)
        os._exit(1)


def max_shutdown_seconds(config: Config, roles: frozenset[str]) -> float:
    """Seconds that a stop of these roles takes at most."""
    smtp = config.smtp.shutdown_grace.total_seconds() + SMTP_SECONDS if "smtp" in roles else 0.0
    api = API_SECONDS if "api" in roles else 0.0
    deliver = (
        config.delivery.timeout.total_seconds() + OUTCOME_SECONDS + DISPATCHER_SECONDS if "deliver" in roles else 0.0
    )
    return (
        max(smtp, api)
        + RATE_LIMITS_SECONDS
        + deliver
        + BACKGROUND_SECONDS
        + sum(PART_SECONDS.values())
        + METRICS_SECONDS
        + DATABASE_SECONDS
    )


async def _is_done_within(task: asyncio.Future[object], seconds: float) -> bool:
    done, _ = await asyncio.wait({task}, timeout=seconds)
    return bool(done)

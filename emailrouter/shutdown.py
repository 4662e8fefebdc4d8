"""The steps of a shutdown, each with a time limit at which it is abandoned.

Abandoning a step loses no message, because only committed messages were confirmed. With the default settings, the
limits add up to less than TimeoutStopSec of the systemd units.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Awaitable, Callable

import structlog

from config.schema import Config

SLOW_STEP_SECONDS = 3.0
CANCEL_SECONDS = 1.0

# Time limits of the steps, in seconds.
#
# SMTP server, in addition to [smtp] shutdown_grace: 10 s for commits in progress, and a margin.
SMTP_SECONDS = 12.0
# API server: 0.5 s for requests of new connections, 10 s for running requests, 0.5 s to abort them, and a margin.
API_SECONDS = 13.0
# Added to [delivery] timeout, for loading the message text and recording the outcome. A delivery whose outcome is lost
# is sent again.
OUTCOME_SECONDS = 10.0
# For the dispatcher's workers to end after it has cancelled them.
DISPATCHER_SECONDS = 2.0
# For one commit of the request counts, and one of the times when API keys and sessions were last used.
RATE_LIMITS_SECONDS = 3.0
BACKGROUND_SECONDS = 2.0
# For closing the core's parts, which are idle by then.
PART_SECONDS = {
    "commit queue": 5.0,
    "client": 2.0,
    "contents": 3.0,
    "reachability": 1.0,
    "sender_hits": 0.5,
    "spam_filter": 1.0,
}
# The metrics server waits at most 1 s for a running scrape.
METRICS_SECONDS = 2.0
# On PostgreSQL, 3 s for running statements, 2 s to return connections to the pool, and a margin.
DATABASE_SECONDS = 6.0

log = structlog.get_logger()


class Shutdown:
    """The shutdown of one process.

    `limit_seconds` after `start_timer`, the process exits regardless of running steps. None means no limit (tests,
    `demo`).
    """

    def __init__(self, limit_seconds: float | None = None) -> None:
        self._limit_seconds = limit_seconds
        self._steps: list[str] = []
        self._armed = False

    def start_timer(self) -> None:
        """Starts the time limit of the shutdown.

        It also covers the exit of the interpreter, which a running thread could delay forever.
        """
        if self._limit_seconds is not None and not self._armed:
            self._armed = True
            timer = threading.Timer(self._limit_seconds, self._exit)
            timer.daemon = True
            timer.start()

    async def run_step(self, name: str, work: Callable[[], Awaitable[object]], seconds: float) -> None:
        """Runs one step. After `seconds`, cancels the step and waits at most `CANCEL_SECONDS` for its end."""
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
        log.critical("shutdown.timed_out", step=step, after_seconds=self._limit_seconds)
        os._exit(1)


def max_shutdown_seconds(config: Config, roles: frozenset[str]) -> float:
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

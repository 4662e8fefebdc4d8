"""First steps of a shutdown, before the running deliveries are completed.

They close the listeners, complete requests and incoming messages, stop the dispatcher, and save the request counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from emailrouter import shutdown
from emailrouter.assembly import Process
from emailrouter.shutdown import Shutdown
from router.errors import Unavailable

if TYPE_CHECKING:
    from router.services import Services

log = structlog.get_logger()


async def drain(process: Process, stop: Shutdown) -> None:
    """Runs the first steps of the shutdown. A failed step does not prevent the next ones."""
    steps: list[Awaitable[None]] = []
    if process.smtp is not None:
        grace = process.core.config.smtp.shutdown_grace
        steps.append(
            stop.run_step("smtp", partial(process.smtp.drain, grace), grace.total_seconds() + shutdown.SMTP_SECONDS)
        )
    if process.api is not None:
        steps.append(stop.run_step("api", process.api.stop, shutdown.API_SECONDS))
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, BaseException):
            log.error("shutdown.step_failed", exc_info=outcome)
    if process.dispatcher is not None:
        process.dispatcher.stop()
    if process.services is not None:
        try:
            await stop.run_step("request counts", partial(_save_counts, process.services), shutdown.RATE_LIMITS_SECONDS)
        except Unavailable as error:
            log.warning("rate_limits.not_saved", reason=str(error))


async def _save_counts(services: Services) -> None:
    await services.rate_limits.close()
    await services.authentication.close()

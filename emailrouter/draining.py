"""The first steps of a stop: listeners close, what came in before is finished, the last counts are written."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import TYPE_CHECKING

import structlog

from emailrouter import stopping
from emailrouter.assembly import Process
from emailrouter.stopping import Stopping
from router.errors import Unavailable

if TYPE_CHECKING:
    from router.services import Services

log = structlog.get_logger()


async def drain(process: Process, stop: Stopping) -> None:
    """Listeners first, then what is being delivered; each step is tried even if the one before failed."""
    doors: list[Awaitable[None]] = []
    if process.smtp is not None:
        grace = process.core.config.smtp.shutdown_grace
        doors.append(stop.step("smtp", partial(process.smtp.drain, grace), grace.total_seconds() + stopping.SMTP))
    if process.api is not None:
        doors.append(stop.step("api", process.api.stop, stopping.API))
    for outcome in await asyncio.gather(*doors, return_exceptions=True):
        if isinstance(outcome, BaseException):
            log.error("shutdown.step_failed", exc_info=outcome)
    if process.dispatcher is not None:
        process.dispatcher.stop()
    if process.services is not None:
        try:
            await stop.step("request counts", partial(_write_counts, process.services), stopping.LIMITS)
        except Unavailable as error:
            log.warning("rate_limits.not_saved", reason=str(error))


async def _write_counts(services: Services) -> None:
    await services.rate_limits.close()
    await services.authentication.close()

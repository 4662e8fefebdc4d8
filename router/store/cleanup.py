"""Runs the cleanup of transactions and connections, even if the caller is cancelled.

A cancelled caller does not wait for the cleanup: a request that timed out is answered at once, even if the database
server does not confirm the ROLLBACK.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

log = structlog.get_logger()


class CleanupTasks:
    """The running cleanups of one database. The cleanups of a connection run one after the other."""

    def __init__(self) -> None:
        self._last: dict[object, asyncio.Task[None]] = {}

    async def run(
        self, connection: object, cleanup: Coroutine[Any, Any, None], *, seconds: float | None = None
    ) -> None:
        """Starts `cleanup` and waits for it, unless the calling task is being cancelled.

        Args:
            cleanup: An exception other than `TimeoutError` is logged, and also raised if the caller waits.
            seconds: The time after which `cleanup` is cancelled; None for no limit.
        """
        task = asyncio.ensure_future(_run_with_timeout(self._last.get(connection), cleanup, seconds))
        self._last[connection] = task

        def on_done(_: object) -> None:
            if not task.cancelled() and (error := task.exception()) is not None:
                log.error("database.rollback_failed", exc_info=error)
            if self._last.get(connection) is task:
                del self._last[connection]

        task.add_done_callback(on_done)
        current = asyncio.current_task()
        if current is None or not current.cancelling():
            await asyncio.shield(task)

    async def wait(self, seconds: float) -> None:
        """Waits for the running cleanups, up to `seconds`."""
        if self._last:
            await asyncio.wait(self._last.values(), timeout=seconds)


async def _run_with_timeout(
    previous: asyncio.Task[None] | None, cleanup: Coroutine[Any, Any, None], seconds: float | None
) -> None:
    if previous is not None:
        await asyncio.wait({previous})
    try:
        async with asyncio.timeout(seconds):
            await cleanup
    except TimeoutError:
        log.debug("database.rollback_timed_out", after_seconds=seconds)

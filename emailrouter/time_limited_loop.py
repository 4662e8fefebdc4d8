"""The event loop of commands that must end within a time limit.

`getaddrinfo` can take more than 30 seconds and cannot be interrupted. Other event loops wait for such a call when they
are closed, also after the work was cancelled.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any


class TimeLimitedLoop(asyncio.SelectorEventLoop):
    """Runs the calls for the default executor in daemon threads, for which neither the loop nor the process waits."""

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override] # the types of typeshed need a TypeVarTuple
        if executor is not None:
            return super().run_in_executor(executor, func, *args)
        future: asyncio.Future[Any] = self.create_future()

        def call() -> None:
            try:
                result, error = func(*args), None
            except Exception as raised:  # noqa: BLE001 - raised again where the future is awaited
                result, error = None, raised
            with suppress(RuntimeError):  # the loop is closed
                self.call_soon_threadsafe(_complete, future, result, error)

        threading.Thread(target=call, name="call", daemon=True).start()
        return future


def _complete(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():  # cancelled
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)

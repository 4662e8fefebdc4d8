"""Calls in threads: their results, and the end of the loop while one still runs."""

import asyncio
import socket
import threading

import pytest

from emailrouter.time_limited_loop import TimeLimitedLoop


def test_end_does_not_wait_for_a_call(monkeypatch: pytest.MonkeyPatch) -> None:
    name_server = threading.Event()

    def wait_for_name_server(*_: object) -> None:
        name_server.wait(60)

    async def resolve() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.get_running_loop().getaddrinfo("db.example.com", 5432)

    monkeypatch.setattr(socket, "getaddrinfo", wait_for_name_server)
    with asyncio.Runner(loop_factory=TimeLimitedLoop) as runner:
        runner.run(resolve())
    (call,) = (thread for thread in threading.enumerate() if thread.name == "call")
    assert call.daemon
    name_server.set()
    call.join()


def test_results_and_errors_of_calls() -> None:
    async def call() -> None:
        assert await asyncio.to_thread(int, "42") == 42
        with pytest.raises(ValueError, match="invalid literal"):
            await asyncio.to_thread(int, "x")

    with asyncio.Runner(loop_factory=TimeLimitedLoop) as runner:
        runner.run(call())

"""Waits for conditions of other processes, files and the kernel, by polling."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path


def process_state(pid: int) -> str:
    """Returns the kernel's letter for the state of a process, such as `S` or `Z`; "" if there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return process_state(pid) not in ("", "Z")


def child_pids(pid: int) -> list[int]:
    """Returns the pids of a process's children, including zombies.

    The kernel lists children by thread. If a thread ends meanwhile, its children pass to another thread, so all threads
    are read again.
    """
    while True:
        try:
            paths = list(Path(f"/proc/{pid}/task").glob("*/children"))
            return [int(child) for path in paths for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            if not is_alive(pid):
                return []


async def poll_until(condition: Callable[[], Awaitable[object]], description: str, *, timeout: float = 30) -> None:
    """Polls until `condition` returns a true value. Raises TimeoutError, which shows the last value."""
    last: object = None
    try:
        async with asyncio.timeout(timeout):
            while not (last := await condition()):  # noqa: ASYNC110 - another process cannot notify this one
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise TimeoutError(f"{description}: not within {timeout} s, last seen {last!r}") from None


async def wait_until(condition: Callable[[], bool], description: str, *, timeout: float = 10) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{description}: not within {timeout} s")
        await asyncio.sleep(0.005)

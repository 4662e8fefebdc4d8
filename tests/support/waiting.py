"""Waits for conditions of other processes, files and the kernel, by polling."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path


def process_state(pid: int) -> str:
    """The kernel's letter for a process state, such as `S` or `Z`; "" if there is no process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    return process_state(pid) not in ("", "Z")


def child_pids(pid: int) -> list[int]:
    """Returns the child processes of all threads of a process, including zombies.

    All threads are read again if one ends, because its children pass to another thread.
    """
    while True:
        try:
            paths = list(Path(f"/proc/{pid}/task").glob("*/children"))
            return [int(child) for path in paths for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            if not is_alive(pid):
                return []


async def wait_until(condition: Callable[[], bool], description: str, *, timeout: float = 10) -> None:
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{description}: not within {timeout} s")
        await asyncio.sleep(0.005)

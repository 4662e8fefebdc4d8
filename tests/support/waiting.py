"""Waiting for a condition, where nobody tells when it changes: another process, a file, the kernel."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path


def state(pid: int) -> str:
    """The kernel's letter for what a process does (`S` waits, `T` stopped, `Z` zombie); "" for none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def alive(pid: int) -> bool:
    """Whether a process with this number exists and is not a zombie."""
    return state(pid) not in ("", "Z")


def children(pid: int) -> list[int]:
    """The child processes of all threads of a process, zombies included.

    The children of a thread that ends pass to another thread, which may have been read already: then all are read
    again.
    """
    while True:
        try:
            paths = list(Path(f"/proc/{pid}/task").glob("*/children"))
            return [int(child) for path in paths for child in path.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            if not alive(pid):
                return []


async def until(true: Callable[[], bool], what: str, *, timeout: float = 10) -> None:
    """Polls `true()` until it holds: for what tells nobody when it changes, such as another process."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        await asyncio.sleep(0.005)

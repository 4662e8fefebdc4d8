"""Starts the child processes of a benchmark, measures them through /proc, and ends them with the benchmark.

Linux only. Only processes that were started here, and their process groups, are signalled.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.process import ROOT, environment

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_STOP_SECONDS = 20.0


class Child:
    """A program that runs during the `with` block. Its log is a file, because reading a pipe costs CPU.

    Usage: `with Child("sink", [...], folder=...) as child: child.wait_ready()`.

    Args:
        port: The program receives a listening socket on this port.
    """

    def __init__(
        self,
        name: str,
        argv: Sequence[str],
        *,
        folder: Path,
        env: Mapping[str, object] | None = None,
        port: int | None = None,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._argv = [sys.executable, "-m", "bench.launch", str(os.getpid())]
        self._argv += ["--port", str(port)] if port is not None else []
        self._argv += ["--", *argv]
        self._env = environment(env)
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self._env, cwd=self._folder,
                start_new_session=True,
            )  # fmt: skip

    @property
    def pid(self) -> int:
        """The process id. Available after `start`."""
        assert self._process is not None
        return self._process.pid

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def wait_ready(self, timeout: float = 30) -> dict[str, Any]:
        """Blocks until the log has a `ready` event and returns the event.

        Raises RuntimeError if the program ends or is not ready in time.
        """
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            for event in self.events():
                if event.get("event") == "ready":
                    return event
            if not self.is_running():
                break
            time.sleep(0.02)
        raise RuntimeError(f"{self.name} did not become ready:\n{self.log.read_text(errors='replace')[-3000:]}")

    def events(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        with self.log.open("rb") as log:
            for line in log:
                if line.startswith(b"{") and line.endswith(b"\n"):
                    with contextlib.suppress(ValueError):
                        found.append(json.loads(line))
        return found

    def stop(self) -> int:
        """Sends SIGTERM, and after 20 s SIGKILL to the process group. Returns the exit code."""
        process = self._process
        if process is None:
            return 0
        if process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def end_on_sigterm() -> None:
    """Makes SIGTERM raise SystemExit, so that the benchmark stops its children and removes its temporary folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


def temporary_folder() -> Path:
    """Creates a folder that is removed at exit, and after `end_on_sigterm` also at SIGTERM."""
    folder = Path(tempfile.mkdtemp(prefix="er-bench-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def program_command(role: str, checkout: Path | None = None) -> list[str]:
    python = sys.executable if checkout is None else str(checkout / ".venv/bin/python")
    return [python, "-m", "emailrouter", role]


def module_command(name: str, *args: str) -> list[str]:
    return [sys.executable, "-m", name, *args]


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def process_tree(pid: int) -> list[int]:
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found = [pid]
    for parent in found:
        found += children.get(parent, [])
    return found


def cpu_seconds(pid: int, *, descendants: bool = False) -> float:
    """Returns the CPU seconds of a process and its reaped children, counted in clock ticks.

    `descendants` adds those of the living descendants.
    """
    ticks = 0
    for number in process_tree(pid) if descendants else [pid]:
        if fields := _stat(number):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / _TICKS_PER_SECOND


def peak_bytes(pid: int) -> int:
    """Returns the peak resident memory of a process (VmHWM); 0 if the process is gone."""
    return _status(pid, "VmHWM:")


def resident_bytes(pid: int) -> int:
    """Returns the resident memory of a process (VmRSS); 0 if the process is gone."""
    return _status(pid, "VmRSS:")


def _status(pid: int, key: str) -> int:
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith(key)), 0)


def _stat(pid: int) -> list[str]:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


__all__ = [
    "ROOT",
    "Child",
    "cpu_seconds",
    "end_on_sigterm",
    "free_port",
    "module_command",
    "peak_bytes",
    "process_tree",
    "program_command",
    "resident_bytes",
    "temporary_folder",
]

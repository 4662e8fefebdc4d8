"""Starts the real program with faults injected: `python -m tests.system.crash.launcher [OPTIONS] -- serve ...`.

    --kill-at POINT[:n]   sends SIGKILL to this process at the n-th visit of the point (default 1)
    --stop-at POINT[:n]   sends SIGSTOP instead
    --clock FILE          shifts the clock by the microseconds in the file, read on every call
    --hurry               waits at most 20 ms between checks for due maintenance tasks
    --small-disk DIR:SIZE mounts a file system of SIZE bytes over DIR, only for this process and its children
    --obey-modes          drops the capabilities by which root ignores file modes, as for a service user

Options with a value may be repeated. The arguments after `--` are those of the program.
"""

import ctypes
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from emailrouter.cli import main
from router.clock import SystemClock
from router.dispatch import maintenance
from tests.support.small_disk import mount
from tests.system.crash import points

_PR_CAPBSET_DROP = 24
_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH = 1, 2


def install_signal(place: str, number: signal.Signals) -> None:
    name, _, nth = place.partition(":")
    left = int(nth or 1)

    def trigger() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)

    points.install(name, trigger)


def shift_clock(path: Path) -> None:
    """Shifts `SystemClock.now` by the microseconds in the file. Monotonic time is unchanged."""
    now = SystemClock.now

    def shifted(self: SystemClock) -> int:
        try:
            return now(self) + int(path.read_text() or 0)
        except OSError:
            return now(self)

    SystemClock.now = shifted  # type: ignore[method-assign]


def mount_small_disk(folder: Path, size: int) -> None:
    """Mounts a file system of `size` bytes over `folder`, visible only to this process and its children.

    Copies the files of `folder` to the new file system.
    """
    kept = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    mount(folder, size)
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    os.chdir(folder)


def drop_capabilities(argv: Sequence[str]) -> None:
    """Restarts this process without the capabilities by which root ignores file modes."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-m", "tests.system.crash.launcher", *argv])


def launch(argv: Sequence[str]) -> None:
    split = argv.index("--")
    options, arguments = list(argv[:split]), argv[split + 1 :]
    if "--hurry" in options:
        options.remove("--hurry")
        maintenance.TICK_SECONDS = 0.02
    if "--obey-modes" in options:
        options.remove("--obey-modes")
        drop_capabilities([*options, "--", *arguments])
    for option, value in zip(options[::2], options[1::2], strict=True):
        match option:
            case "--kill-at":
                install_signal(value, signal.SIGKILL)
            case "--stop-at":
                install_signal(value, signal.SIGSTOP)
            case "--small-disk":
                folder, _, size = value.rpartition(":")
                mount_small_disk(Path(folder), int(size))
            case "--clock":
                shift_clock(Path(value))
            case _:
                raise SystemExit(f"no such option: {option}")
    sys.argv = ["emailrouter", *arguments]
    main()


if __name__ == "__main__":
    launch(sys.argv[1:])

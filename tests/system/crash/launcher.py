"""Starts the real program with a way to die in it: `python -m tests.system.crash.launcher [OPTIONS] -- serve ...`.

    --kill-at POINT[:n]   SIGKILL to itself when it comes to the point for the n-th time (default 1)
    --stop-at POINT[:n]   SIGSTOP to itself there, so that a test can act in the very middle of something
    --clock FILE          the machine's clock is off by the microseconds that the file holds, read at every look
    --hurry               chores (retention) are done at once and again and again, not four times a minute
    --small-disk DIR:SIZE the folder is a file system of its own, of so many octets, that only this process sees; what
                          was in it is copied there
    --obey-modes          root loses its right to ignore file modes, as a service's user never had it

Options may come more than once. What follows `--` is the program's own command line. The signal is the process's last
act: no `finally`, no `atexit`, no buffer is written.
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
    """Sends itself the signal when the program comes to `POINT[:n]`."""
    name, _, nth = place.partition(":")
    left = int(nth or 1)

    def hit() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), number)

    points.install(name, hit)


def shift_clock(path: Path) -> None:
    """The machine's clock jumps whenever the file changes; what is measured (monotonic) does not."""
    now = SystemClock.now

    def shifted(self: SystemClock) -> int:
        try:
            return now(self) + int(path.read_text() or 0)
        except OSError:
            return now(self)

    SystemClock.now = shifted  # type: ignore[method-assign]


def mount_small_disk(folder: Path, size: int) -> None:
    """Mounts it in a namespace of this process, with what was in the folder."""
    kept = {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}
    mount(folder, size)
    for name, content in kept.items():
        (folder / name).write_bytes(content)
    os.chdir(folder)


def drop_capabilities(argv: Sequence[str]) -> None:
    """Starts itself again without the capabilities; for whoever has none it changes nothing."""
    libc = ctypes.CDLL(None)
    for capability in (_CAP_DAC_OVERRIDE, _CAP_DAC_READ_SEARCH):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.execv(sys.executable, [sys.executable, "-m", "tests.system.crash.launcher", *argv])


def launch(argv: Sequence[str]) -> None:
    """Reads the options, arms them, and becomes the program."""
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

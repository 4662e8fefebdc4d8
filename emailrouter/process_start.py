"""The first step of every command, before it opens any file.

Guarantees that no database file or socket becomes a standard stream, that the exit codes of child processes can be
read, and that orphans are reaped.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

# Options of prctl(2).
_PR_SET_PDEATHSIG, _PR_GET_CHILD_SUBREAPER = 1, 37
# Signals of job control and crashes, for which the reaper keeps the default action.
_NOT_FORWARDED = frozenset(
    {
        signal.SIGTSTP,
        signal.SIGTTIN,
        signal.SIGTTOU,
        signal.SIGCONT,
        signal.SIGABRT,
        signal.SIGBUS,
        signal.SIGFPE,
        signal.SIGILL,
        signal.SIGSEGV,
        signal.SIGSYS,
        signal.SIGTRAP,
    }
)
# si_code (sigaction(2)) of a signal from the kernel. A terminal sends its signals to the program too, so these are
# not forwarded.
_SI_KERNEL = 0x80
# Environment variables with the PID of the process that they are meant for (sd_listen_fds(3), sd_watchdog_enabled(3)).
_ADDRESSED_BY_PID = ("LISTEN_PID", "WATCHDOG_PID")


def prepare() -> None:
    """Opens missing standard streams.

    If this process is PID 1 or a subreaper, the program continues in a child process, and this process reaps orphans.
    """
    _open_standard_streams()
    # If the parent ignored SIGCHLD, this process inherits that, and the kernel discards the exit codes of children.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if os.getpid() == 1 or _is_subreaper():
        _continue_in_child()


def _open_standard_streams() -> None:
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is `number`
            os.set_inheritable(opened, True)  # otherwise, child programs do not inherit it (PEP 446)
        if getattr(sys, name) is None:
            # The descriptor `number` may be in use by another part of the process.
            null = Path(os.devnull).open("r" if number == 0 else "w", encoding="utf-8")  # noqa: SIM115 - stays open
            setattr(sys, name, null)


def _is_subreaper() -> bool:
    """Whether orphaned descendants are re-parented to this process (PR_SET_CHILD_SUBREAPER)."""
    found = ctypes.c_int(0)
    try:
        ctypes.CDLL(None).prctl(_PR_GET_CHILD_SUBREAPER, ctypes.byref(found), 0, 0, 0)
    except (OSError, AttributeError):  # not Linux
        return False
    return found.value != 0


def _continue_in_child() -> None:
    """Continues in a child process.

    The parent never returns: it forwards signals, reaps all children and exits with the exit code of this child.
    Reaping in the program itself would race with asyncio and subprocess for exit codes. A child process is also exempt
    from the rule that PID 1 ignores signals without a handler.
    """
    # Signals are blocked before the fork, so that none is lost before the parent waits for signals.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - _NOT_FORWARDED)
    reaper = os.getpid()
    program = os.fork()
    if program:
        _reap_until_end(program)
    # kill -9 of the reaper must end the program too.
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != reaper:
        os._exit(128 + signal.SIGKILL)
    for name in _ADDRESSED_BY_PID:
        if os.environ.get(name) == str(reaper):
            os.environ[name] = str(os.getpid())
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _reap_until_end(program: int) -> NoReturn:
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # so that only the program keeps inherited sockets open
    wanted = signal.valid_signals() - _NOT_FORWARDED
    while True:
        received = signal.sigwaitinfo(wanted)
        if received.si_signo == signal.SIGCHLD:
            code = _reap(program)
            if code is not None:
                os._exit(code)
        elif received.si_code != _SI_KERNEL:
            with suppress(ProcessLookupError):
                os.kill(program, received.si_signo)


def _reap(program: int) -> int | None:
    """Reaps every child that has ended. Returns the exit code of the program, or None while the program runs."""
    code = None
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            if ended[0] == program:
                code = os.waitstatus_to_exitcode(ended[1])
    return 128 - code if code is not None and code < 0 else code

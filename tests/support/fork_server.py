"""Starts the program without importing it each time: a server process imports it once and forks for every start.

A forked child is a real process that does not import the program again. `ForkServer` is the client in the test
process. This module, run as `python -m tests.support.fork_server FD PARENT`, is the server. FD is the descriptor of its
control socket, and PARENT is the pid of the test process. On Linux the server dies with the test process, and its
children die with it.

A request is one packet: a JSON object, the descriptors of the child's standard streams, and one end of the child's
status channel. The server sends the pid and later the exit status on that channel. The pid is not reused until the
test has closed the channel.
"""

from __future__ import annotations

import atexit
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from router.store.catalog import load_catalog

# A command imports the modules that it needs only when it runs, so the server imports all modules of these packages.
PRELOADED = ("emailrouter", "tests.system.crash.points")

# Prefixes of environment variables that are read only once, at the start or by an imported module (SSL_CERT_FILE).
# A program that needs other values than the server's must be started by executing Python.
_READ_AT_START = ("PYTHON", "LC_", "LANG", "MALLOC", "LD_", "SSL_")
_MAX_REQUEST_BYTES = 200_000  # the environment and the command line take most of a request
_PR_SET_PDEATHSIG = 1


def can_share_server(env: Mapping[str, str], server_env: Mapping[str, str]) -> bool:
    return all(
        {name: value for name, value in env.items() if name.startswith(prefix)}
        == {name: value for name, value in server_env.items() if name.startswith(prefix)}
        for prefix in _READ_AT_START
    )


class ForkServer:
    """Starts a fork server with the environment `env`, and sends requests to it."""

    def __init__(self, env: Mapping[str, str], cwd: Path) -> None:
        self.env = dict(env)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            number = str(theirs.fileno())
            words = [sys.executable, "-m", "tests.support.fork_server", number, str(os.getpid())]
            self._process = subprocess.Popen(words, env=self.env, cwd=cwd, pass_fds=[theirs.fileno()])
        self._owner = os.getpid()
        self._send_lock = threading.Lock()
        atexit.register(self.close)

    def start(
        self, module: str, args: Sequence[str], env: Mapping[str, str], cwd: Path, streams: tuple[int, int, int]
    ) -> tuple[int, socket.socket]:
        """Starts a child and returns its pid and status channel. Raises OSError if the server is gone.

        streams: descriptors of the child's standard input, output and error; the caller closes them.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        request: dict[str, object] = {"module": module, "args": list(args), "env": dict(env), "cwd": str(cwd)}
        with theirs, self._send_lock:
            request["umask"] = umask = os.umask(0o077)
            os.umask(umask)
            socket.send_fds(self._control, [json.dumps(request).encode()], [*streams, theirs.fileno()])
        answer = ours.recv(100)
        if not answer:
            raise OSError(f"no child: {module}")
        return int(answer), ours

    def close(self) -> None:
        if self._owner != os.getpid():
            return  # a fork of the test process must not stop the server
        self._control.close()
        self._process.wait()


@dataclass(frozen=True)
class ForkRequest:
    """A program to run. files: the descriptors of its standard streams and of its status channel."""

    module: str
    args: list[str]
    env: dict[str, str]
    cwd: str
    umask: int
    files: tuple[int, ...]


class _ForkLoop:
    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._poll = select.poll()
        self._poll.register(control, select.POLLIN)
        self._running: dict[int, tuple[int, socket.socket]] = {}  # pidfd -> pid, status channel
        self._ended: dict[int, tuple[int, int, socket.socket]] = {}  # channel's descriptor -> pidfd, pid, channel

    def serve(self) -> ForkRequest | None:
        """In a forked child, returns the child's request. In the server, returns None when the control socket ends."""
        while True:
            for file, _ in self._poll.poll():
                if file == self._control.fileno():
                    request = self._receive()
                    if request is None:
                        return None
                    if self._fork(request):
                        return request
                elif file in self._running:
                    self._report_exit(file)
                elif file in self._ended:
                    self._reap(file)

    def _receive(self) -> ForkRequest | None:
        data, files, _, _ = socket.recv_fds(self._control, _MAX_REQUEST_BYTES, 4)
        return ForkRequest(**json.loads(data), files=tuple(files)) if data else None

    def _fork(self, request: ForkRequest) -> bool:
        channel = socket.socket(fileno=request.files[3])
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            self._detach_child(request, channel, parent)
            return True
        for file in request.files[:3]:
            os.close(file)
        pidfd = os.pidfd_open(pid)
        self._running[pidfd] = (pid, channel)
        self._poll.register(pidfd, select.POLLIN)
        with contextlib.suppress(OSError):  # the test process is gone; the child ends with the server
            channel.send(str(pid).encode())
        return False

    def _detach_child(self, request: ForkRequest, channel: socket.socket, parent: int) -> None:
        os.setsid()
        die_with_parent(parent)
        self._control.close()
        channel.close()
        for pidfd, (_, other) in self._running.items():
            os.close(pidfd)
            other.close()
        for pidfd, _, other in self._ended.values():
            os.close(pidfd)
            other.close()
        for number, file in enumerate(request.files[:3]):
            os.dup2(file, number)
            os.close(file)

    def _report_exit(self, pidfd: int) -> None:
        pid, channel = self._running.pop(pidfd)
        self._poll.unregister(pidfd)
        end = os.waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOWAIT)
        assert end is not None
        code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        self._ended[channel.fileno()] = (pidfd, pid, channel)
        self._poll.register(channel, select.POLLIN)
        with contextlib.suppress(OSError):
            channel.send(str(code).encode())

    def _reap(self, file: int) -> None:
        pidfd, pid, channel = self._ended.pop(file)
        self._poll.unregister(file)
        channel.close()
        os.close(pidfd)
        os.waitpid(pid, 0)


def restore_signals() -> None:
    """Sets ignored signals to their default action, except those that the interpreter itself ignores.

    A shell without job control starts background commands with SIGINT ignored. `nohup` starts its command with SIGHUP
    ignored.
    """
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def die_with_parent(parent: int) -> None:
    """Asks the kernel to kill this process when the parent dies, and exits if the parent has died already."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the test run has ended")


def run_module(request: ForkRequest) -> None:
    os.environ.clear()
    os.environ.update(request.env)
    time.tzset()
    os.umask(request.umask)
    os.chdir(request.cwd)
    open_streams()
    sys.argv = [request.module, *request.args]
    code: str | int | None = None
    try:
        runpy.run_module(request.module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        code = error.code
    if code is None or isinstance(code, int):
        exit_process(code or 0)
    sys.exit(code)


def exit_process(code: int) -> None:
    """Exits as the interpreter does, but without destroying objects.

    Destroying them would copy memory that is shared with the server. Returns only if a stream cannot be flushed.
    """
    threading._shutdown()  # type: ignore[attr-defined]  # waits for non-daemon threads
    atexit._run_exitfuncs()
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code & 0xFF)


def open_streams() -> None:
    sys.stdin = sys.__stdin__ = _text_stream(sys.stdin, io.BufferedReader(io.FileIO(0, "r")))  # type: ignore[misc]
    sys.stdout = sys.__stdout__ = _text_stream(sys.stdout, io.FileIO(1, "w"))  # type: ignore[misc]
    sys.stderr = sys.__stderr__ = _text_stream(sys.stderr, io.FileIO(2, "w"))  # type: ignore[misc]


def _text_stream(old: TextIO, file: io.BufferedReader | io.FileIO) -> io.TextIOWrapper:
    return io.TextIOWrapper(file, encoding=old.encoding, errors=old.errors, write_through=True)


def main() -> None:
    restore_signals()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the test process, which then closes the control socket
    die_with_parent(int(sys.argv[2]))
    control = socket.socket(fileno=int(sys.argv[1]))
    for name in PRELOADED:
        module = importlib.import_module(name)
        for found in pkgutil.walk_packages(getattr(module, "__path__", ()), f"{name}."):
            if not found.name.endswith("__main__"):
                importlib.import_module(found.name)
    load_catalog()  # otherwise each program with a database would parse the queries again
    gc.collect()
    gc.freeze()
    request = _ForkLoop(control).serve()
    if request is None:
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    run_module(request)


if __name__ == "__main__":
    main()

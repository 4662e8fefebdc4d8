"""Becomes a server: `python -m bench.launch PARENT [--port N] -- PROGRAM ARG...`; the process id stays.

Before that it asks the kernel to end it when the bench (process PARENT) dies, takes as many file descriptors as it
may, and with `--port` opens 127.0.0.1:N with SO_REUSEPORT and passes it on as systemd passes sockets (LISTEN_FDS,
LISTEN_PID): so any number of processes can share a port, as socket units with ReusePort do. Called by
`bench.processes` alone.
"""

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1
_FIRST_SYSTEMD_FD = 3


def main(argv: Sequence[str]) -> None:
    """Prepares this process and replaces it. Does not return."""
    split = argv.index("--")
    parent, options, program = int(argv[0]), argv[1:split], argv[split + 1 :]
    with contextlib.suppress(OSError, AttributeError):  # only Linux has it; elsewhere the bench must end by itself
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the bench is gone")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options[:1] == ["--port"]:
        pass_socket(int(options[1]))
    os.execvp(program[0], list(program))


def pass_socket(port: int) -> None:
    """Listens, and leaves the socket where sd_listen_fds(3) looks for it."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    sock.listen(4096)
    descriptor = sock.detach()
    if descriptor == _FIRST_SYSTEMD_FD:
        os.set_inheritable(descriptor, True)
    else:
        os.dup2(descriptor, _FIRST_SYSTEMD_FD)
        os.close(descriptor)
    os.environ["LISTEN_FDS"] = "1"
    os.environ["LISTEN_PID"] = str(os.getpid())


if __name__ == "__main__":
    main(sys.argv[1:])

"""Replaces this process by a server: `python -m bench.launch PARENT [--port N] -- PROGRAM ARG...`.

The kernel kills the server when the process PARENT dies. `--port` passes a socket that listens on 127.0.0.1:N, like
systemd's socket activation. The socket has SO_REUSEPORT, so that several processes can share the port.
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
    split = argv.index("--")
    parent, options, program = int(argv[0]), argv[1:split], argv[split + 1 :]
    with contextlib.suppress(OSError, AttributeError):  # Linux only
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit("the parent process has ended")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if options[:1] == ["--port"]:
        pass_socket(int(options[1]))
    os.execvp(program[0], list(program))


def pass_socket(port: int) -> None:
    """Listens on the port and moves the socket to the descriptor that sd_listen_fds(3) expects."""
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

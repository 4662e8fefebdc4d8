"""A forked program with the attributes and methods of `asyncio.subprocess.Process` that `Program` needs."""

import asyncio
import contextlib
import functools
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.fork_server import ForkServer, can_share_server

Output = tuple[asyncio.StreamReader, asyncio.ReadTransport]


class ForkedProcess:
    """A forked program. returncode: None while it runs; negative if a signal ended it."""

    def __init__(self, pid: int, channel: socket.socket, stdout: Output, stderr: Output):
        self.pid = pid
        self.returncode: int | None = None
        self.stdout, self._stdout = stdout
        self.stderr, self._stderr = stderr
        self._channel = channel
        channel.setblocking(False)
        asyncio.get_running_loop().add_reader(channel, self._read_exit_status)

    def send_signal(self, number: signal.Signals) -> None:
        """Signals the process. Its pid is not reused before its exit status is read."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def close(self) -> None:
        """Closes the pipes, which must have been read to the end."""
        self._stdout.close()
        self._stderr.close()

    def _read_exit_status(self) -> None:
        answer = self._channel.recv(100)
        asyncio.get_running_loop().remove_reader(self._channel)
        self._channel.close()
        # An empty answer means that the fork server has died, and its children with it.
        self.returncode = int(answer) if answer else -signal.SIGKILL


@functools.cache
def _fork_server() -> ForkServer:
    from tests.support.process import ROOT, environment  # noqa: PLC0415 - circular import

    return ForkServer(environment(), ROOT)


def can_fork(command: Sequence[str], env: Mapping[str, str]) -> bool:
    if "PYTEST_VERSION" not in os.environ or sys.platform != "linux" or command[0] != "-m":
        return False
    return can_share_server(env, _fork_server().env)


async def fork(
    args: Sequence[str], env: Mapping[str, str], cwd: Path, stdin: bytes | int | None, limit: int
) -> ForkedProcess:
    """Forks a program from the fork server.

    args: the module and its arguments. stdin: what the program reads, or a descriptor. limit: the maximum length of an
    output line, in bytes.
    """
    with tempfile.TemporaryFile() as given, contextlib.ExitStack() as theirs:
        given.write(stdin if isinstance(stdin, bytes) else b"")
        given.seek(0)
        ours = []
        ends = []
        for _ in range(2):
            read, write = os.pipe()
            ours.append(read)
            ends.append(write)
            theirs.callback(os.close, write)
        streams = (stdin if isinstance(stdin, int) else given.fileno(), ends[0], ends[1])
        pid, channel = await asyncio.to_thread(_fork_server().start, args[0], args[1:], env, cwd, streams)
    stdout, stderr = [await _open_reader(file, limit) for file in ours]
    return ForkedProcess(pid, channel, stdout, stderr)


async def _open_reader(file: int, limit: int) -> Output:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=limit)
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_read_pipe(lambda: protocol, os.fdopen(file, "rb", 0))
    return reader, transport

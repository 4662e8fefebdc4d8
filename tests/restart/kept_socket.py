"""A listening socket that outlives the programs that serve it, as systemd's socket unit keeps it.

`KeptSocket` listens and never accepts. A program started by `program` is handed the socket as systemd hands it over
(sd_listen_fds(3)): as descriptor 3, blocking and inheritable, with `LISTEN_PID` and `LISTEN_FDS`.
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.process import Program

# Fetches the socket from the test, and becomes the program: the process id stays.
_ACTIVATE = """
import os, socket, sys
with socket.socket(socket.AF_UNIX) as channel:
    channel.connect(sys.argv[1])
    (listener,) = socket.recv_fds(channel, 1, 1)[1]
if listener != 3:
    os.dup2(listener, 3)
    os.close(listener)
os.set_blocking(3, True)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.executable, [sys.executable, "-m", "emailrouter", *sys.argv[2:]])
"""


class KeptSocket:
    """`async with KeptSocket(folder) as kept:`; peers connect to `kept.address`, programs may come and go."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "socket-unit"
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._hand_over, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        self._listener.close()

    @property
    def address(self) -> tuple[str, int]:
        host, port = self._listener.getsockname()
        return host, port

    def program(self, role: str, settings: Mapping[str, object], folder: Path) -> Program:
        """The program, not started yet."""
        env = {**settings, "smtp.listen": "systemd"}
        return Program(str(self._path), role, env=env, cwd=folder, command=("-c", _ACTIVATE))

    async def _hand_over(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        channel = writer.get_extra_info("socket")
        # asyncio's own socket object has no sendmsg; the descriptor is the same.
        with socket.socket(fileno=os.dup(channel.fileno())) as plain:
            socket.send_fds(plain, [b"!"], [self._listener.fileno()])
        writer.close()

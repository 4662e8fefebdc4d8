"""Listening sockets that outlive the programs that serve them, like those of systemd's socket units.

A program receives the sockets as systemd passes them (sd_listen_fds(3)).
"""

import asyncio
import os
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from tests.support.process import Program

SOCKET_NAMES = {"serve": ("smtp", "api"), "smtp": ("smtp",), "api": ("api",)}

# LISTEN_PID names this process, so the script executes the program in the same process.
_ACTIVATE = """
import os, socket, sys
path, names = sys.argv[1], sys.argv[2].split(":")
with socket.socket(socket.AF_UNIX) as channel:
    channel.connect(path)
    channel.sendall(sys.argv[2].encode() + b"\\n")
    passed = socket.recv_fds(channel, 1, len(names))[1]
for n, descriptor in enumerate(passed):
    os.dup2(descriptor, 100 + n)
    os.close(descriptor)
for n in range(len(passed)):
    os.dup2(100 + n, 3 + n)
    os.close(100 + n)
    os.set_blocking(3 + n, True)
    os.set_inheritable(3 + n, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(passed)), LISTEN_FDNAMES=sys.argv[2])
os.execv(sys.executable, [sys.executable, "-m", "emailrouter", *sys.argv[3:]])
"""


class KeptSockets:
    """Listening sockets at the addresses `smtp` and `api`, which stay open while programs are replaced."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "socket-unit"
        self._listeners = {name: socket.create_server(("127.0.0.1", 0), backlog=1024) for name in ("smtp", "api")}
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_unix_server(self._pass_sockets, self._path)
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for listener in self._listeners.values():
            listener.close()

    @property
    def smtp(self) -> tuple[str, int]:
        return self._address("smtp")

    @property
    def api(self) -> tuple[str, int]:
        return self._address("api")

    def program(self, role: str, settings: Mapping[str, object], folder: Path) -> Program:
        """Returns a program that is not started yet. A role without a server gets no socket."""
        names = SOCKET_NAMES.get(role, ())
        if not names:
            return Program(role, env=settings, cwd=folder)
        env = {**settings, **{f"{name}.listen": "systemd" for name in names}}
        return Program(str(self._path), ":".join(names), role, env=env, cwd=folder, command=("-c", _ACTIVATE))

    async def _pass_sockets(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        names = (await reader.readline()).decode().strip().split(":")
        channel = writer.get_extra_info("socket")
        # asyncio's socket object has no sendmsg.
        with socket.socket(fileno=os.dup(channel.fileno())) as plain:
            socket.send_fds(plain, [b"!"], [self._listeners[name].fileno() for name in names])
        writer.close()

    def _address(self, name: str) -> tuple[str, int]:
        host, port = self._listeners[name].getsockname()
        return host, port

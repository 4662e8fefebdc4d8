"""The sockets on which connections are waited for, and how many are taken in one turn of the event loop.

Sockets are the loop's own (`loop.create_server`): no thread, no aiosmtpd Controller. libuv takes one connection in a
turn; when hostile peers make turns long, good ones would wait for theirs in the kernel's queue while the loop has time
for them. So with each connection that comes, up to `TAKEN_A_TURN` more are taken that wait at the same socket. Who
calls it: `smtp.server`.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

TAKEN_A_TURN = 64  # some ten milliseconds: they get no more than their greeting at once
_BACKLOG = 1024  # connections the kernel holds for us; a burst must not be refused before we have seen it


class Listeners:
    """All sockets of one server. connection: makes the protocol of a connection, as for `loop.create_server`."""

    def __init__(self, connection: Callable[[], asyncio.BaseProtocol]) -> None:
        self._connection = connection
        self._servers: list[asyncio.Server] = []
        self._waiting: list[socket.socket] = []  # the same sockets once more, for those that wait already
        self._taking: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> list[str]:
        """Where they listen: `127.0.0.1:2525`, `[::1]:2525`, or a Unix socket's path; empty after `close`."""
        return [_address(sock.getsockname()) for server in self._servers for sock in server.sockets]

    async def listen(self, host: str, port: int, *, reuse_port: bool) -> None:
        """On all addresses of `host`; those of IPv6 are IPv6's alone, so 0.0.0.0 and [::] can stand side by side.

        reuse_port: let other processes of this host listen there too. Raises OSError.
        """
        await self._create(host, port, reuse_port=reuse_port or None)

    async def listen_on(self, sock: socket.socket) -> None:
        """On a socket that somebody opened for us."""
        await self._create(sock=sock)

    def close(self) -> None:
        """Take no more. What was taken goes on."""
        # Not `wait_closed`: since Python 3.12 it waits for every connection too, and a drain does that with a bound.
        for server in self._servers:
            server.close()
        for sock in self._waiting:
            sock.close()
        self._servers.clear()
        self._waiting.clear()

    async def _create(self, *where: Any, **options: Any) -> None:
        mine: list[socket.socket] = []

        def connection() -> asyncio.BaseProtocol:
            self._take_waiting(mine)
            return self._connection()

        loop = asyncio.get_running_loop()
        server = await loop.create_server(connection, *where, backlog=_BACKLOG, **options)
        self._servers.append(server)
        for opened in server.sockets:
            again = socket.fromfd(opened.fileno(), opened.family, opened.type)
            again.setblocking(False)
            self._waiting.append(again)
            mine.append(again)

    def _take_waiting(self, listening: Sequence[socket.socket]) -> None:
        for sock in listening:
            for _ in range(TAKEN_A_TURN):
                try:
                    taken, _address = sock.accept()
                except OSError:
                    # Nobody waits, or it cannot be had (no descriptors): the loop's own try tells in its log.
                    break
                task = asyncio.get_running_loop().create_task(self._open(taken))
                self._taking.add(task)
                task.add_done_callback(self._taking.discard)

    async def _open(self, taken: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._connection, taken)
        except OSError:  # the peer has gone meanwhile
            taken.close()


def _address(name: object) -> str:
    """A socket's name as text; a Unix socket's is its path."""
    if not isinstance(name, tuple):
        return str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

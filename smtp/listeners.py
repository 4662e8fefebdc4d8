"""The listening sockets, and how many connections one iteration of the event loop accepts.

libuv accepts one connection per socket and iteration. If hostile peers make iterations long, other clients wait in
the kernel's queue. After each connection, this module therefore accepts up to `accepts_per_iteration` more per socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from typing import Any

from smtp.bounds import Bounds


class Listeners:
    """All listening sockets of a server."""

    def __init__(self, create_protocol: Callable[[], asyncio.BaseProtocol], bounds: Bounds) -> None:
        self._create_protocol = create_protocol
        self._bounds = bounds
        self._servers: list[asyncio.Server] = []
        self._duplicates: list[socket.socket] = []
        self._opening: set[asyncio.Task[None]] = set()

    @property
    def addresses(self) -> list[str]:
        """The addresses as text: `127.0.0.1:2525`, `[::1]:2525`, or the path of a Unix socket."""
        return [_address(sock.getsockname()) for server in self._servers for sock in server.sockets]

    async def listen(self, host: str, port: int, *, reuse_port: bool) -> None:
        """Listens on all addresses of `host`. With port 0, the kernel chooses a port. Raises OSError.

        IPv6 sockets accept no IPv4, so `0.0.0.0` can use the same port as `::`.
        """
        await self._create(host, port, reuse_port=reuse_port or None)

    async def listen_on_socket(self, sock: socket.socket) -> None:
        await self._create(sock=sock)

    def close(self) -> None:
        """Stops listening. Accepted connections continue."""
        # `wait_closed` is not used, because that of asyncio waits for all connections since Python 3.12.
        for server in self._servers:
            server.close()
        for sock in self._duplicates:
            sock.close()
        self._servers.clear()
        self._duplicates.clear()

    async def _create(self, *address: Any, **options: Any) -> None:
        duplicates: list[socket.socket] = []

        def connection() -> asyncio.BaseProtocol:
            self._accept_waiting(duplicates)
            return self._create_protocol()

        loop = asyncio.get_running_loop()
        server = await loop.create_server(connection, *address, backlog=self._bounds.listen_backlog, **options)
        self._servers.append(server)
        for opened in server.sockets:
            duplicate = socket.fromfd(opened.fileno(), opened.family, opened.type)
            duplicate.setblocking(False)
            self._duplicates.append(duplicate)
            duplicates.append(duplicate)

    def _accept_waiting(self, listening: Sequence[socket.socket]) -> None:
        for sock in listening:
            for _ in range(self._bounds.accepts_per_iteration):
                try:
                    accepted, _address = sock.accept()
                except OSError:
                    # For example, no connection is waiting, or no file descriptor is free.
                    break
                task = asyncio.get_running_loop().create_task(self._open(accepted))
                self._opening.add(task)
                task.add_done_callback(self._opening.discard)

    async def _open(self, accepted: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._create_protocol, accepted)
        except OSError:  # for example, the peer has disconnected
            accepted.close()


def _address(name: object) -> str:
    if not isinstance(name, tuple):
        return str(name)
    host, port = name[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

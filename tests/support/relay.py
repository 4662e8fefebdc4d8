"""A TCP relay that can drop its connections silently, like a firewall: they stay open and nothing passes.

async with Relay(port) as relay: ...  # connect to relay.port; relay.drop_connections()
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Self


@dataclass(slots=True)
class RelayedConnection:
    """A connection of one client.

    dropped: whether the relay discards the connection's data. closed: whether the client has closed the connection.
    """

    dropped: bool = False
    closed: bool = False


class Relay:
    """Relays connections to the port `to` of 127.0.0.1."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._connections: list[RelayedConnection] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self._last = 0.0  # event-loop time of the last traffic, in seconds

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        assert self._server is not None
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    @property
    def connection_count(self) -> int:
        return len(self._connections)

    def drop_connections(self) -> None:
        for connection in self._connections:
            connection.dropped = True

    async def drop_when_idle(self, seconds: float) -> None:
        """Waits until no connection has had traffic for `seconds`, and then drops all connections."""
        loop = asyncio.get_running_loop()
        while (left := self._last + seconds - loop.time()) > 0:  # noqa: ASYNC110 - an event for each chunk is slower
            await asyncio.sleep(left)
        self.drop_connections()

    def open_dropped_count(self) -> int:
        return sum(connection.dropped and not connection.closed for connection in self._connections)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection = RelayedConnection()
        self._connections.append(connection)
        try:
            server_reader, server_writer = await asyncio.open_connection("127.0.0.1", self._to)
            back = asyncio.create_task(self._pump(server_reader, writer, connection))
            try:
                await self._pump(reader, server_writer, connection)
                connection.closed = True
            finally:
                back.cancel()
                server_writer.close()
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, connection: RelayedConnection
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(65536):
                self._last = asyncio.get_running_loop().time()
                if not connection.dropped:
                    writer.write(data)
                    await writer.drain()
            if not connection.dropped:
                writer.close()

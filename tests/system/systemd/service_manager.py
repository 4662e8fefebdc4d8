"""A stand-in for systemd's notify socket."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Self


class ServiceManager:
    """Receives notify messages at `path`, the value for `NOTIFY_SOCKET`."""

    def __init__(self, folder: Path, name: str = "notify") -> None:
        self.path = str(folder / name)
        self.lines: list[str] = []  # received lines in order, as `KEY=value`
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._lines_changed = asyncio.Condition()
        self._reader: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._socket.bind(self.path)
        self._socket.setblocking(False)
        self._reader = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._reader is not None:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)
        self._socket.close()

    async def wait_for_line(self, line: str, n: int = 1, *, timeout: float = 20) -> None:
        async with asyncio.timeout(timeout), self._lines_changed:
            await self._lines_changed.wait_for(lambda: self.lines.count(line) >= n)

    def received_lines(self) -> Iterator[str]:
        """The received lines except heartbeats, times and status texts."""
        return (line for line in self.lines if not line.startswith(("WATCHDOG=", "MONOTONIC_USEC=", "STATUS=")))

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            message = await loop.sock_recv(self._socket, 4096)
            async with self._lines_changed:
                self.lines += message.decode().splitlines()
                self._lines_changed.notify_all()

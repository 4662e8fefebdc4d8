"""Hostile SMTP clients: `python -m bench.swarm PORT --seconds 30 --to support@bench.test`.

Clients send single bytes slowly, or endless commands, lines or messages. They reopen closed connections and use many
addresses of 127.0.0.0/8, so that limits by address do not stop them. Prints one JSON object with the counts.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import resource
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import uvloop

_COUNTS = {"slow command": 1000, "slow data": 1000, "noop": 200, "endless line": 20, "endless data": 20}
_PER_ADDRESS = 15  # connections from one address; below the product's default limit of 20
_PER_NETWORK = 4  # addresses in one /26; together 60 connections, the product's default limit for a /26
_RECONNECT_SECONDS = 0.02
_DRIP_SECONDS = 10.0
_PIECE = b"x" * 65536
_LINES = (b"y" * 76 + b"\r\n") * 840

Behaviour = Callable[["HostileClient"], Awaitable[None]]


class HostileClient:
    """One client and its current connection."""

    def __init__(self, kind: str, address: str, port: int, recipient: str, counts: Counter[str]) -> None:
        self.kind = kind
        self.recipient = recipient
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self._address = address
        self._port = port
        self._counts = counts

    async def run(self, delay: float) -> None:
        await asyncio.sleep(delay)
        while True:
            try:
                self.reader, self.writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, local_addr=(self._address, 0)
                )
            except OSError:
                self._count("no connection")
                await asyncio.sleep(_RECONNECT_SECONDS)
                continue
            self._count("connections")
            try:
                await _BEHAVIOURS[self.kind](self)
            except (OSError, EOFError):
                self._count("closed by the server")
            finally:
                self.writer.transport.abort()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def command(self, command: str) -> None:
        """Sends a command, if it is not empty, and reads one reply. Raises EOFError for a rejection."""
        if command:
            self.writer.write(f"{command}\r\n".encode())
        while True:
            line = await self.reader.readuntil(b"\r\n")
            if line[3:4] != b"-":
                break
        if line[:1] in b"45":
            self._count("refused" if not command else "rejected")
            raise EOFError

    async def envelope(self) -> None:
        for command in ("", "EHLO h.test", "MAIL FROM:<h@h.test>", f"RCPT TO:<{self.recipient}>", "DATA"):
            await self.command(command)

    async def drip(self) -> None:
        while True:
            self.writer.write(b"E")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_DRIP_SECONDS):
                    await self.reader.read(1)
                    raise EOFError

    async def flood(self, piece: bytes) -> None:
        while True:
            self.writer.write(piece)
            await self.writer.drain()
            if self.reader.at_eof():
                raise EOFError

    def _count(self, what: str) -> None:
        self._counts[f"{self.kind}: {what}"] += 1


async def _slow_command(client: HostileClient) -> None:
    await client.command("")
    await client.drip()


async def _slow_data(client: HostileClient) -> None:
    await client.envelope()
    await client.drip()


async def _noop(client: HostileClient) -> None:
    await client.command("")
    while True:
        await client.command("NOOP")


async def _endless_line(client: HostileClient) -> None:
    await client.command("")
    await client.flood(_PIECE)


async def _endless_data(client: HostileClient) -> None:
    await client.envelope()
    await client.flood(_LINES)


_BEHAVIOURS: dict[str, Behaviour] = {
    "slow command": _slow_command,
    "slow data": _slow_data,
    "noop": _noop,
    "endless line": _endless_line,
    "endless data": _endless_data,
}


async def attack(port: int, recipient: str, seconds: float, scale: float, kinds: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    tasks = []
    number = 0
    loop = asyncio.get_running_loop()
    for kind in kinds:
        for n in range(max(1, round(_COUNTS[kind] * scale))):
            position, number = number // _PER_ADDRESS, number + 1
            network, host = divmod(position, _PER_NETWORK)
            # The addresses of each /26 are in a /21 of their own, so that the limits per network are not exceeded.
            address = f"127.{network // 32 + 1}.{network % 32 * 8}.{host + 1}"
            client = HostileClient(kind, address, port, recipient, counts)
            # The starts of each kind are spread over 2 s.
            tasks.append(loop.create_task(client.run(n % 500 / 250)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counts


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.swarm", description="Hostile SMTP clients.")
    parser.add_argument("port", type=int)
    parser.add_argument("--to", dest="recipient", required=True)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--scale", type=float, default=1.0, help="factor for the numbers of clients")
    parser.add_argument("--kinds", nargs="+", choices=_BEHAVIOURS, default=list(_BEHAVIOURS))
    options = parser.parse_args(argv)
    _, maximum = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (maximum, maximum))
    work = attack(options.port, options.recipient, options.seconds, options.scale, options.kinds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(work)))


if __name__ == "__main__":
    main(sys.argv[1:])

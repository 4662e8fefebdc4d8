"""Hostile clients, for `bench.hostile`: `python -m bench.swarm PORT --seconds 30 --to support@bench.test`.

2,000 connections that send one octet in 10 s, half of them in a command and half in DATA; 200 that send NOOP for ever;
lines and mails without an end. Whoever is closed comes again after 20 ms, until the time is over. They come from many
addresses of 127.0.0.0/8, so that limits by address do not do the work. Prints one JSON line: connections made,
refused with a 4xx or 5xx greeting, and closed by the server, for each kind.
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
_PER_ADDRESS = 15  # below the product's default of 20
_PER_NETWORK = 4  # addresses of one /26, below three times the default
_AGAIN = 0.02
_SLOWLY = 10.0
_PIECE = b"x" * 65536
_LINES = (b"y" * 76 + b"\r\n") * 840

Talk = Callable[["Hostile"], Awaitable[None]]


class Hostile:
    """One client and the connection it has now."""

    def __init__(self, kind: str, address: str, port: int, recipient: str, counts: Counter[str]) -> None:
        self.kind = kind
        self.recipient = recipient
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter
        self._address = address
        self._port = port
        self._counts = counts

    async def run(self, delay: float) -> None:
        """One connection after another, until it is cancelled."""
        await asyncio.sleep(delay)
        while True:
            try:
                self.reader, self.writer = await asyncio.open_connection(
                    "127.0.0.1", self._port, local_addr=(self._address, 0)
                )
            except OSError:
                self._count("no connection")
                await asyncio.sleep(_AGAIN)
                continue
            self._count("connections")
            try:
                await _TALKS[self.kind](self)
            except (OSError, EOFError):
                self._count("closed by the server")
            finally:
                self.writer.transport.abort()
            await asyncio.sleep(_AGAIN)

    async def ask(self, command: str) -> None:
        """A command and its reply; a refusal is an end like any other."""
        if command:
            self.writer.write(f"{command}\r\n".encode())
        while True:
            line = await self.reader.readuntil(b"\r\n")
            if line[3:4] != b"-":
                break
        if line[:1] in b"45":
            self._count("refused" if not command else "told off")
            raise EOFError

    async def envelope(self) -> None:
        """Up to the 354."""
        for command in ("", "EHLO h.test", "MAIL FROM:<h@h.test>", f"RCPT TO:<{self.recipient}>", "DATA"):
            await self.ask(command)

    async def drip(self) -> None:
        """An octet in ten seconds, until the server has enough."""
        while True:
            self.writer.write(b"E")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SLOWLY):
                    await self.reader.read(1)  # whatever it says, it closes then
                    raise EOFError

    async def flood(self, piece: bytes) -> None:
        """As fast as the server reads."""
        while True:
            self.writer.write(piece)
            await self.writer.drain()
            if self.reader.at_eof():
                raise EOFError

    def _count(self, what: str) -> None:
        self._counts[f"{self.kind}: {what}"] += 1


async def _slow_command(client: Hostile) -> None:
    await client.ask("")
    await client.drip()


async def _slow_data(client: Hostile) -> None:
    await client.envelope()
    await client.drip()


async def _noop(client: Hostile) -> None:
    await client.ask("")
    while True:
        await client.ask("NOOP")


async def _endless_line(client: Hostile) -> None:
    await client.ask("")
    await client.flood(_PIECE)


async def _endless_data(client: Hostile) -> None:
    await client.envelope()
    await client.flood(_LINES)


_TALKS: dict[str, Talk] = {
    "slow command": _slow_command,
    "slow data": _slow_data,
    "noop": _noop,
    "endless line": _endless_line,
    "endless data": _endless_data,
}


async def attack(port: int, recipient: str, seconds: float, share: float, kinds: Sequence[str]) -> Counter[str]:
    """All of them, for so long."""
    counts: Counter[str] = Counter()
    tasks = []
    number = 0
    loop = asyncio.get_running_loop()
    for kind in kinds:
        for n in range(max(1, round(_COUNTS[kind] * share))):
            place, number = number // _PER_ADDRESS, number + 1
            network, host = divmod(place, _PER_NETWORK)
            # A /21 each: the limits by network are not what is measured.
            address = f"127.{network // 32 + 1}.{network % 32 * 8}.{host + 1}"
            client = Hostile(kind, address, port, recipient, counts)
            # A thousand SYNs in one millisecond would test the kernel's backlog.
            tasks.append(loop.create_task(client.run(n % 500 / 250)))
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counts


def main(argv: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.swarm", description="Hostile SMTP clients.")
    parser.add_argument("port", type=int)
    parser.add_argument("--to", dest="recipient", required=True)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--share", type=float, default=1.0, help="of the numbers of clients")
    parser.add_argument("--kinds", nargs="+", choices=_TALKS, default=list(_TALKS))
    options = parser.parse_args(argv)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    work = attack(options.port, options.recipient, options.seconds, options.share, options.kinds)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(work)))


if __name__ == "__main__":
    main(sys.argv[1:])

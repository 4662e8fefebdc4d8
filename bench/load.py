"""The built-in load generator: an SMTP client that sends many mails and costs little CPU.

    python -m bench.load 127.0.0.1:2525 --to support@bench.test --size 4096 --mails 1000 --concurrency 20

It runs in a process of its own (`bench.senders` starts it) and prints one JSON line, the `Result`. Every session is
a protocol that writes prebuilt octets and looks only at the first digit of each reply: command and answer in turn,
as `smtp-source` does it. Each mail has its own Message-ID, so that none is a repeat. Modes: `--per-connection` mails
in a connection (0: all of a session's), `--starttls`, and `--handshake`, which does nothing but a connection and a TLS
handshake (the server is `bench.peers handshake`). A refused mail is counted and not sent again.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import resource
import ssl
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import cast

import uvloop

_LINE = b"x" * 76 + b"\r\n"


@dataclass(frozen=True)
class Load:
    """What is sent. size: octets of a mail. per_connection: 0 for as many as a session has to send.

    recipient: one address, or several with commas that take turns.
    """

    size: int = 4096
    mails: int = 100
    concurrency: int = 20
    per_connection: int = 1
    starttls: bool = False
    handshake: bool = False
    recipient: str = "support@bench.test"
    timeout: float = 60.0


@dataclass
class Result:
    """seconds: from the first connection to the last reply. cpu: the generator's own. refused: by what was said."""

    accepted: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    refused: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)  # of each mail, from MAIL (or the connection) to its 250


def body(size: int, head: int) -> bytes:
    """The lines that fill a mail to `size` octets after a head of `head`, and the end mark."""
    lines, rest = divmod(max(size - head, 0), len(_LINE))
    last = b"x" * (rest - 2) + b"\r\n" if rest > 2 else b""
    return _LINE * lines + last + b".\r\n"


class Run:
    """A load on its way: counts the mails that are still to be sent, and what was answered."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.left = load.mails
        self.result = Result()
        self.context = insecure_context()
        self._recipients = itertools.cycle([f"RCPT TO:<{one}>\r\n".encode() for one in load.recipient.split(",")])
        self._mark = uuid.uuid4().hex[:12]
        self._number = 0
        self._head = (
            f"From: Ada <ada@sender.test>\r\nTo: {load.recipient.split(',')[0]}\r\nSubject: Load\r\n"
            "Date: Tue, 01 Jan 2030 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
        )
        self.body = body(load.size, len(self.head()))

    def head(self) -> bytes:
        """The header of the next mail."""
        self._number += 1
        return f"{self._head}Message-ID: <{self._number:08}.{self._mark}@sender.test>\r\n\r\n".encode()

    def rcpt(self) -> bytes:
        """The RCPT command of the next mail."""
        return next(self._recipients)

    def refuse(self, why: str, mails: int) -> None:
        """So many mails will not be taken."""
        self.result.refused[why] = self.result.refused.get(why, 0) + mails

    async def go(self, host: str, port: int) -> Result:
        """Sends all of it."""
        began, cpu = time.perf_counter(), _own_cpu()
        async with asyncio.timeout(self.load.timeout):
            await asyncio.gather(*(self._session(host, port) for _ in range(self.load.concurrency)))
        self.result.seconds = time.perf_counter() - began
        self.result.cpu = _own_cpu() - cpu
        return self.result

    async def _session(self, host: str, port: int) -> None:
        """One connection after another while there is something to send."""
        loop = asyncio.get_running_loop()
        per_connection = self.load.per_connection or -(-self.load.mails // self.load.concurrency)
        while self.left > 0:
            share = min(per_connection, self.left)
            self.left -= share
            began = time.perf_counter()
            if self.load.handshake:
                await self._handshake(host, port)
                self.result.accepted += 1
                self.result.latencies.append(time.perf_counter() - began)
                continue
            done: asyncio.Future[None] = loop.create_future()
            try:
                await loop.create_connection(partial(Session, self, share, done), host, port)
            except OSError as error:
                self.refuse(type(error).__name__, share)
                continue
            await done

    async def _handshake(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"?")
        await reader.read(1)  # the server is ready
        await writer.start_tls(self.context, ssl_handshake_timeout=10)
        await reader.read(1)  # and done
        writer.close()


class Session(asyncio.Protocol):
    """One connection with `share` mails; `done` when it is over, whatever happened."""

    def __init__(self, run: Run, share: int, done: asyncio.Future[None]) -> None:
        self._run = run
        self._share = share
        self._done = done
        self._began = time.perf_counter()
        self._fresh = True
        self._heard = b""
        self._tls = run.load.starttls
        self._transport: asyncio.Transport | None = None
        self._step = "greeting"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The server speaks first."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not its subclasses

    def data_received(self, data: bytes) -> None:
        """A reply is whole when its last line has a space after the code."""
        heard = self._heard + data if self._heard else data
        if not heard.endswith(b"\r\n") or heard[heard.rfind(b"\n", 0, -1) + 4 : heard.rfind(b"\n", 0, -1) + 5] == b"-":
            self._heard = heard
            return
        self._heard = b""
        if heard[:1] in b"45":
            self._refused(heard)
        else:
            self._next()

    def connection_lost(self, error: Exception | None) -> None:
        """Whatever was not sent is refused by silence."""
        if self._share and self._step != "tls":
            self._run.refuse("connection lost", self._share)
            self._share = 0
        if not self._done.done():
            self._done.set_result(None)

    def _next(self) -> None:  # noqa: PLR0912 - a dialogue is a list of steps
        """What follows the reply that came."""
        transport = self._transport
        assert transport is not None
        match self._step:
            case "greeting" | "secured":
                self._step = "hello"
                transport.write(b"EHLO sender.test\r\n")
            case "hello" if self._tls:
                self._step = "starttls"
                transport.write(b"STARTTLS\r\n")
            case "starttls":
                self._step = "tls"
                self._upgrade = asyncio.get_running_loop().create_task(self._secure(transport))
            case "hello" | "next":
                self._step = "mail"
                if not self._fresh:
                    self._began = time.perf_counter()
                self._fresh = False
                transport.write(b"MAIL FROM:<ada@sender.test>\r\n")
            case "mail":
                self._step = "rcpt"
                transport.write(self._run.rcpt())
            case "rcpt":
                self._step = "data"
                transport.write(b"DATA\r\n")
            case "data":
                self._step = "content"
                transport.writelines([self._run.head(), self._run.body])
            case "content":
                result = self._run.result
                result.accepted += 1
                result.latencies.append(time.perf_counter() - self._began)
                self._share -= 1
                if self._share:
                    self._step = "next"
                    self._next()
                else:
                    self._step = "quit"
                    transport.write(b"QUIT\r\n")
            case "quit":
                transport.close()
            case _:
                raise AssertionError(self._step)

    async def _secure(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        wire = await loop.start_tls(transport, self, self._run.context)
        if wire is None:
            self._refused(b"no TLS")
            return
        self._transport, self._tls, self._step = wire, False, "secured"
        self._next()

    def _refused(self, reply: bytes) -> None:
        """Nothing more of this session: the bench looks at what was said."""
        self._run.refuse(reply.decode(errors="replace").strip(), self._share)
        self._share = 0
        if self._transport is not None:
            self._transport.close()


def insecure_context() -> ssl.SSLContext:
    """A TLS client that believes any certificate; full handshakes, for Python resumes none by itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _own_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(argv: Sequence[str]) -> None:
    """The command line; prints the result."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="A load of mails by SMTP.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--to", dest="recipient", default=Load.recipient)
    parser.add_argument("--size", type=int, default=Load.size)
    parser.add_argument("--mails", type=int, default=Load.mails)
    parser.add_argument("--concurrency", type=int, default=Load.concurrency)
    parser.add_argument("--per-connection", type=int, default=Load.per_connection)
    parser.add_argument("--starttls", action="store_true")
    parser.add_argument("--handshake", action="store_true")
    parser.add_argument("--timeout", type=float, default=Load.timeout)
    options = vars(parser.parse_args(argv))
    host, _, port = options.pop("address").rpartition(":")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(Run(Load(**options)).go(host.strip("[]"), int(port)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main(sys.argv[1:])

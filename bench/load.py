"""The built-in load generator: an SMTP client that sends many messages with little CPU.

    python -m bench.load 127.0.0.1:2525 --to support@bench.test --size 4096 --mails 1000 --concurrency 20

Prints the `LoadResult` as a JSON line. A rejection ends its connection, whose remaining messages count as rejected.
With `--handshake`, each connection has only a TLS handshake; the server is `bench.peers handshake`.
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

from bench.mixed_mail import mixed_messages

_LINE = b"x" * 76 + b"\r\n"


@dataclass(frozen=True)
class Load:
    """The messages to send, and how to send them.

    Attributes:
        size: The size of a message in bytes.
        mails: The total number of messages.
        per_connection: The number of messages in each connection; 0 means all messages in `concurrency` connections.
        mixed: Send the messages of `bench.mixed_mail` in turn; `size` is ignored.
        recipient: An address, or several addresses separated by commas, used in turn.
    """

    size: int = 4096
    mails: int = 100
    concurrency: int = 20
    per_connection: int = 1
    starttls: bool = False
    handshake: bool = False
    mixed: bool = False
    recipient: str = "support@bench.test"
    timeout: float = 60.0


@dataclass
class LoadResult:
    """The result of a load. Times are in seconds.

    Attributes:
        cpu: The CPU time of the generator.
        refused: The number of messages that were not accepted, by reply or error.
        latencies: The time from MAIL to the 250 reply of each accepted message. For the first message of a
            connection, it includes opening the connection. With `Load.handshake`, the durations of the connections.
    """

    accepted: int = 0
    seconds: float = 0.0
    cpu: float = 0.0
    refused: dict[str, int] = field(default_factory=dict)
    latencies: list[float] = field(default_factory=list)


def filler_body(size: int, header_size: int) -> bytes:
    """Returns a body with the end of data.

    With a header of `header_size` bytes, the message has `size` bytes, or up to two fewer.
    """
    lines, remainder = divmod(max(size - header_size, 0), len(_LINE))
    last = b"x" * (remainder - 2) + b"\r\n" if remainder > 2 else b""
    return _LINE * lines + last + b".\r\n"


class LoadGenerator:
    """Sends one load, and counts the remaining messages and the replies."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.remaining = load.mails
        self.result = LoadResult()
        self.context = insecure_context()
        self._recipients = itertools.cycle([f"RCPT TO:<{one}>\r\n".encode() for one in load.recipient.split(",")])
        self._run_id = uuid.uuid4().hex[:12]
        self._number = 0
        self._head = (
            f"From: Ada <ada@sender.test>\r\nTo: {load.recipient.split(',')[0]}\r\nSubject: Load\r\n"
            "Date: Tue, 01 Jan 2030 12:00:00 +0000\r\nMIME-Version: 1.0\r\n"
        ).encode()
        if load.mixed:
            messages = [(header, body + b".\r\n") for header, body in mixed_messages()]
        else:
            header = b"Content-Type: text/plain; charset=utf-8\r\n"
            messages = [(header, filler_body(load.size, len(self._build_header(header))))]
        self._messages = itertools.cycle(messages)

    def next_message(self) -> tuple[bytes, bytes]:
        """Returns the header and the body of the next message, with the end of data."""
        self._number += 1
        header, body = next(self._messages)
        return self._build_header(header), body

    def _build_header(self, last_fields: bytes) -> bytes:
        message_id = f"Message-ID: <{self._number:08}.{self._run_id}@sender.test>\r\n\r\n"
        return self._head + last_fields + message_id.encode()

    def next_rcpt(self) -> bytes:
        return next(self._recipients)

    def record_refusal(self, reason: str, count: int) -> None:
        self.result.refused[reason] = self.result.refused.get(reason, 0) + count

    async def run(self, host: str, port: int) -> LoadResult:
        started_at, cpu = time.perf_counter(), _own_cpu_seconds()
        async with asyncio.timeout(self.load.timeout):
            await asyncio.gather(*(self._session(host, port) for _ in range(self.load.concurrency)))
        self.result.seconds = time.perf_counter() - started_at
        self.result.cpu = _own_cpu_seconds() - cpu
        return self.result

    async def _session(self, host: str, port: int) -> None:
        loop = asyncio.get_running_loop()
        per_connection = self.load.per_connection or -(-self.load.mails // self.load.concurrency)
        while self.remaining > 0:
            count = min(per_connection, self.remaining)
            self.remaining -= count
            started_at = time.perf_counter()
            if self.load.handshake:
                await self._handshake(host, port)
                self.result.accepted += 1
                self.result.latencies.append(time.perf_counter() - started_at)
                continue
            done: asyncio.Future[None] = loop.create_future()
            try:
                await loop.create_connection(partial(LoadSession, self, count, done), host, port)
            except OSError as error:
                self.record_refusal(type(error).__name__, count)
                continue
            await done

    async def _handshake(self, host: str, port: int) -> None:
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(b"?")
        await reader.read(1)
        await writer.start_tls(self.context, ssl_handshake_timeout=10)
        await reader.read(1)
        writer.close()


class LoadSession(asyncio.Protocol):
    """One connection with `count` messages. `done` is set when the connection ends, for any reason."""

    def __init__(self, generator: LoadGenerator, count: int, done: asyncio.Future[None]) -> None:
        self._generator = generator
        self._remaining = count
        self._done = done
        self._started_at = time.perf_counter()
        self._is_first = True
        self._buffer = b""
        self._tls = generator.load.starttls
        self._transport: asyncio.Transport | None = None
        self._step = "greeting"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not asyncio.Transport

    def data_received(self, data: bytes) -> None:
        received = self._buffer + data if self._buffer else data
        if (
            not received.endswith(b"\r\n")
            or received[received.rfind(b"\n", 0, -1) + 4 : received.rfind(b"\n", 0, -1) + 5] == b"-"
        ):
            self._buffer = received
            return
        self._buffer = b""
        if received[:1] in b"45":
            self._end_refused(received)
        else:
            self._send_next()

    def connection_lost(self, error: Exception | None) -> None:
        """Counts the remaining messages as not accepted, unless the connection ends during a TLS handshake."""
        if self._remaining and self._step != "tls":
            self._generator.record_refusal("connection lost", self._remaining)
            self._remaining = 0
        if not self._done.done():
            self._done.set_result(None)

    def _send_next(self) -> None:  # noqa: PLR0912 - a dialogue is a list of steps
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
                self._upgrade = asyncio.get_running_loop().create_task(self._start_tls(transport))
            case "hello" | "next":
                self._step = "mail"
                if not self._is_first:
                    self._started_at = time.perf_counter()
                self._is_first = False
                transport.write(b"MAIL FROM:<ada@sender.test>\r\n")
            case "mail":
                self._step = "rcpt"
                transport.write(self._generator.next_rcpt())
            case "rcpt":
                self._step = "data"
                transport.write(b"DATA\r\n")
            case "data":
                self._step = "content"
                transport.writelines(self._generator.next_message())
            case "content":
                result = self._generator.result
                result.accepted += 1
                result.latencies.append(time.perf_counter() - self._started_at)
                self._remaining -= 1
                if self._remaining:
                    self._step = "next"
                    self._send_next()
                else:
                    self._step = "quit"
                    transport.write(b"QUIT\r\n")
            case "quit":
                transport.close()
            case _:
                raise AssertionError(self._step)

    async def _start_tls(self, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        tls_transport = await loop.start_tls(transport, self, self._generator.context)
        if tls_transport is None:
            self._end_refused(b"no TLS")
            return
        self._transport, self._tls, self._step = tls_transport, False, "secured"
        self._send_next()

    def _end_refused(self, reply: bytes) -> None:
        self._generator.record_refusal(reply.decode(errors="replace").strip(), self._remaining)
        self._remaining = 0
        if self._transport is not None:
            self._transport.close()


def insecure_context() -> ssl.SSLContext:
    """Returns a TLS client context that verifies nothing.

    Every handshake is full, because Python does not resume sessions by itself.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _own_cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description="Sends a load of messages by SMTP.")
    parser.add_argument("address", metavar="HOST:PORT")
    parser.add_argument("--to", dest="recipient", default=Load.recipient)
    parser.add_argument("--size", type=int, default=Load.size)
    parser.add_argument("--mails", type=int, default=Load.mails)
    parser.add_argument("--concurrency", type=int, default=Load.concurrency)
    parser.add_argument("--per-connection", type=int, default=Load.per_connection)
    parser.add_argument("--starttls", action="store_true")
    parser.add_argument("--handshake", action="store_true")
    parser.add_argument("--mixed", action="store_true", help="plain text of 4 KB and HTML of 20 KB in turn")
    parser.add_argument("--timeout", type=float, default=Load.timeout)
    options = vars(parser.parse_args(argv))
    host, _, port = options.pop("address").rpartition(":")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        result = runner.run(LoadGenerator(Load(**options)).run(host.strip("[]"), int(port)))
    print(json.dumps(asdict(result)))


if __name__ == "__main__":
    main(sys.argv[1:])

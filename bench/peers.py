"""Small SMTP servers for comparison: `python -m bench.peers KIND --port N [--cert F --key F]`.

- sink: aiosmtpd's `Sink` handler on its unchanged `SMTP` class.
- minimal: a plain asyncio protocol that does as little as possible. It checks and stores nothing.
- smtp: Email Router's `smtp.server` without routing and storage, which shows the cost of SMTP alone.
- handshake: one TLS handshake for each connection.

All use uvloop and SO_REUSEPORT. Each prints `{"event": "ready"}` when it listens, and ends on SIGTERM.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

import uvloop
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP

from config.smtp import SmtpSettings
from emailrouter import log
from router import ids
from router.clock import SystemClock
from router.mail.address import Mailbox
from router.ports import AcceptResult
from router.routing.envelope import Envelope
from router.routing.route import Target
from smtp.server import Server

_HOST = "127.0.0.1"
_BACKLOG = 4096
_END = b"\r\n.\r\n"
_MAX_MESSAGE = 52428800


def server_context(cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(cert, key)
    return context


class MinimalSmtp(asyncio.Protocol):
    """A minimal SMTP server; it supports STARTTLS if it has a TLS context."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._in_data = False
        self._securing = False
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's transports are not asyncio.Transport
        self._transport.write(b"220 minimal\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer = buffer = self._buffer + data if self._buffer else data
        if self._securing:  # a reply before `start_tls` returns would be in plain text
            return
        transport = self._transport
        assert transport is not None
        while buffer:
            if self._in_data:
                end = buffer.find(_END)
                if end < 0:
                    self._buffer = buffer[-4:]
                    return
                self._in_data = False
                buffer = buffer[end + 5 :]
                transport.write(b"250 2.0.0 Ok\r\n")
                continue
            line, crlf, rest = buffer.partition(b"\r\n")
            if not crlf:
                break
            buffer = rest
            verb = line[:4].upper()
            if verb == b"DATA":
                self._in_data = True
                transport.write(b"354 End data with <CR><LF>.<CR><LF>\r\n")
            elif verb == b"QUIT":
                transport.write(b"221 2.0.0 bye\r\n")
                transport.close()
            elif verb == b"STAR" and self._context is not None:
                transport.pause_reading()
                transport.write(b"220 2.0.0 ready\r\n")
                self._securing = True
                self._upgrade = asyncio.get_running_loop().create_task(self._start_tls(self._context))
                buffer = b""
            else:
                transport.write(b"250 2.0.0 Ok\r\n")
        self._buffer = buffer

    async def _start_tls(self, context: ssl.SSLContext) -> None:
        assert self._transport is not None
        self._transport = await asyncio.get_running_loop().start_tls(self._transport, self, context, server_side=True)
        self._securing = False
        self.data_received(b"")


class TlsHandshake(asyncio.Protocol):
    """Answers the client's first byte, starts TLS, and sends one byte after the handshake."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        assert context is not None, "a handshake needs a certificate"
        self._context = context
        self._transport: asyncio.Transport
        self._upgrade: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """`loop.start_tls` does not call this method again."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        # Reading would lose the first bytes of the handshake. `start_tls` resumes reading.
        self._transport.pause_reading()
        self._transport.write(b"!")
        self._upgrade = asyncio.get_running_loop().create_task(self._start_tls(self._transport))

    async def _start_tls(self, transport: asyncio.Transport) -> None:
        wire = await asyncio.get_running_loop().start_tls(transport, self, self._context, server_side=True)
        if wire is not None:
            wire.write(b"!")


class AcceptAllRouting:
    """Routing that accepts every recipient."""

    async def resolve(self, mailbox: Mailbox, *, reverse_path: str = "", peer: str = "") -> Target:
        """See `router.ports.RecipientResolver`."""
        return Target(str(mailbox), "ws_1", "alias_1", "alias_1", "support@bench.test", "int_1")


class DiscardingAcceptor:
    """An acceptor that stores nothing."""

    async def accept(self, envelope: Envelope, content: bytes) -> AcceptResult:
        """See `router.ports.Acceptor`."""
        return AcceptResult(ids.new_id("msg"), is_duplicate=False)


async def _listen(factory: Callable[[], asyncio.BaseProtocol], port: int) -> None:
    loop = asyncio.get_running_loop()
    await loop.create_server(factory, _HOST, port, backlog=_BACKLOG, reuse_port=True)


async def sink(port: int, cert: Path | None, key: Path | None) -> None:
    logging.getLogger("mail.log").setLevel(logging.ERROR)  # logging would distort the measurement
    context = server_context(cert, key) if cert and key else None
    handler = Sink()
    await _listen(lambda: SMTP(handler, hostname="sink.test", tls_context=context, data_size_limit=_MAX_MESSAGE), port)


async def minimal(port: int, cert: Path | None, key: Path | None) -> None:
    context = server_context(cert, key) if cert and key else None
    await _listen(lambda: MinimalSmtp(context), port)


async def handshake(port: int, cert: Path | None, key: Path | None) -> None:
    context = server_context(cert, key) if cert and key else None
    await _listen(lambda: TlsHandshake(context), port)


async def smtp(port: int, cert: Path | None, key: Path | None) -> None:
    log.configure_logging("json", "info")
    tls = {"tls_cert": str(cert), "tls_key": str(key)} if cert and key else {}
    bounds = {"max_connections": 5000, "max_connections_per_ip": 5000, "max_mails_per_minute_per_ip": 100_000_000}
    settings = SmtpSettings.model_validate({"listen": [f"{_HOST}:{port}"], **bounds, **tls})
    await Server(
        settings, "smtp.test", AcceptAllRouting(), DiscardingAcceptor(), SystemClock(), reuse_port=True
    ).start()


KINDS: dict[str, Callable[[int, Path | None, Path | None], Awaitable[None]]] = {
    "sink": sink,
    "minimal": minimal,
    "smtp": smtp,
    "handshake": handshake,
}


async def serve(kind: str, port: int, cert: Path | None, key: Path | None) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await KINDS[kind](port, cert, key)
    print(json.dumps({"event": "ready"}), flush=True)
    await stop.wait()


def main(argv: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description="A server for comparison.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cert", type=Path)
    parser.add_argument("--key", type=Path)
    options = parser.parse_args(argv)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(options.kind, options.port, options.cert, options.key))


if __name__ == "__main__":
    main(sys.argv[1:])

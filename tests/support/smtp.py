"""An SMTP client that sends exactly what a test specifies.

`RawSmtp` sends bytes unchanged and parses replies strictly. Failures to receive contain the exchange so far.
`send_mail` is for tests that only need a message delivered.
"""

import asyncio
import contextlib
import re
import socket
import ssl
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?\r\n", re.DOTALL)
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?= |$)")
_MAX_EXCHANGED_LINES = 200


class ConnectionClosedError(Exception):
    """The server closed the connection where the client expected data."""


@dataclass(frozen=True)
class SmtpReply:
    """One reply. lines: the texts of its lines, without the code."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        return "\n".join(self.lines)

    @property
    def enhanced(self) -> str:
        """The enhanced status code (RFC 2034) of the first line, or `""`."""
        match = _ENHANCED.match(self.lines[0])
        return match.group() if match else ""

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class RawSmtp:
    """One connection, created by `connect`; `async with` closes it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, timeout: float) -> None:
        self.timeout = timeout
        self.greeting = SmtpReply(0, ("",))
        self.exchanged_lines: list[str] = []
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(
        cls,
        host: str,
        port: int,
        *,
        local_addr: tuple[str, int] | None = None,
        timeout: float = 10,
        ssl_context: ssl.SSLContext | None = None,
        greeting: bool = True,
    ) -> Self:
        """Connects to a server.

        Args:
            local_addr: The client's address and port; on Linux any address of 127.0.0.0/8, and port 0 for a free one.
            greeting: Whether to read the server's greeting.
        """
        async with asyncio.timeout(timeout):
            reader, writer = await asyncio.open_connection(host, port, local_addr=local_addr, ssl=ssl_context)
        client = cls(reader, writer, timeout)
        if greeting:
            try:
                client.greeting = await client.read_reply()
            except BaseException:
                await client.close()
                raise
        return client

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # Sending.

    async def send_bytes(self, data: bytes) -> None:
        """Sends bytes unchanged, and waits while the server reads slowly."""
        self._record("C", data)
        self._writer.write(data)
        async with asyncio.timeout(self.timeout):
            await self._writer.drain()

    async def send_line(self, line: str) -> None:
        await self.send_bytes(line.encode() + b"\r\n")

    async def command(self, line: str, expect: int | None = None) -> SmtpReply:
        await self.send_line(line)
        return await self.read_reply() if expect is None else await self.expect(expect)

    async def data(self, content: bytes) -> SmtpReply:
        """Sends DATA and the content. Returns the reply to the content, or the reply to DATA if that is not 354."""
        reply = await self.command("DATA")
        if reply.code != 354:
            return reply
        await self.send_bytes(dot_stuff(content))
        return await self.read_reply()

    async def starttls(self, context: ssl.SSLContext, server_hostname: str | None = None) -> SmtpReply:
        reply = await self.command("STARTTLS")
        if reply.code == 220:
            await self.start_tls(context, server_hostname)
        return reply

    async def start_tls(self, context: ssl.SSLContext, server_hostname: str | None = None) -> None:
        async with asyncio.timeout(self.timeout):
            await self._writer.start_tls(context, server_hostname=server_hostname)
        self.exchanged_lines.append("-- TLS")

    # Receiving.

    async def read_line(self) -> str:
        """Returns one line of a reply, without CRLF. Bytes that are not UTF-8 become surrogates."""
        return (await self._read_raw_line()).removesuffix(b"\r\n").decode(errors="surrogateescape")

    async def read_reply(self) -> SmtpReply:
        code = 0
        lines = []
        while True:
            raw = await self._read_raw_line()
            match = _LINE.fullmatch(raw)
            assert match, f"not a line of an SMTP reply: {raw!r}{self.exchange_text()}"
            assert code in (0, int(match[1])), f"the code changes within a reply: {raw!r}{self.exchange_text()}"
            code = int(match[1])
            lines.append((match[3] or b"").decode(errors="surrogateescape"))
            if match[2] != b"-":
                return SmtpReply(code, tuple(lines))

    async def expect(self, code: int) -> SmtpReply:
        reply = await self.read_reply()
        assert str(reply.code).startswith(str(code)), f"expected {code}, got {reply}{self.exchange_text()}"
        return reply

    async def read_to_eof(self) -> bytes:
        """Returns what the server sends until it closes or resets the connection."""
        rest = b""
        try:
            async with asyncio.timeout(self.timeout):
                with contextlib.suppress(ConnectionError):
                    while piece := await self._reader.read(65536):
                        rest += piece
        except TimeoutError:
            raise TimeoutError(f"not closed within {self.timeout} s{self.exchange_text()}") from None
        if rest:
            self._record("S", rest)
        return rest

    # Closing.

    async def quit(self) -> SmtpReply:
        reply = await self.command("QUIT")
        await self.read_to_eof()
        await self.close()
        return reply

    def half_close(self) -> None:
        """Closes the sending direction, which asyncio does not support over TLS."""
        self._writer.write_eof()

    async def abort(self) -> None:
        """Resets the TCP connection."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._writer.transport.abort()
        await self.close()

    async def close(self) -> None:
        self._writer.close()
        with contextlib.suppress(OSError, ssl.SSLError, TimeoutError):
            async with asyncio.timeout(self.timeout):
                await self._writer.wait_closed()

    def exchange_text(self) -> str:
        return "\n--- exchange so far\n" + "\n".join(self.exchanged_lines[-_MAX_EXCHANGED_LINES:])

    # Internal.

    async def _read_raw_line(self) -> bytes:
        try:
            async with asyncio.timeout(self.timeout):
                raw = await self._reader.readuntil(b"\n")
        except TimeoutError:
            raise TimeoutError(f"nothing was received for {self.timeout} s{self.exchange_text()}") from None
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            partial = error.partial if isinstance(error, asyncio.IncompleteReadError) else b""
            raise ConnectionClosedError(f"closed after {partial!r}{self.exchange_text()}") from None
        self._record("S", raw)
        return raw

    def _record(self, side: str, data: bytes) -> None:
        shown = repr(data if len(data) <= 500 else data[:500] + b"...")[2:-1]
        self.exchanged_lines.append(f"{side}: {shown}")
        del self.exchanged_lines[:-_MAX_EXCHANGED_LINES]


def dot_stuff(content: bytes) -> bytes:
    """Returns the content as sent after DATA, dot-stuffed and with the final dot (RFC 5321 4.5.2)."""
    stuffed = re.sub(rb"(^|\r\n)\.", rb"\1..", content)
    return stuffed + (b".\r\n" if not stuffed or stuffed.endswith(b"\r\n") else b"\r\n.\r\n")


async def send_mail(
    host: str,
    port: int,
    mail_from: str,
    rcpt_tos: Sequence[str],
    content: bytes,
    *,
    ehlo: str = "client.test",
    parameters: str = "",
    tls: ssl.SSLContext | None = None,
    local_addr: tuple[str, int] | None = None,
    timeout: float = 10,
) -> SmtpReply:
    """Sends a message if the server accepts at least one recipient.

    Returns the reply to the content, or the reply that prevented sending it.
    """
    client = await RawSmtp.connect(host, port, local_addr=local_addr, timeout=timeout)
    async with client:
        if client.greeting.code != 220:
            return client.greeting
        await client.command(f"EHLO {ehlo}", 250)
        if tls is not None:
            assert (await client.starttls(tls)).code == 220, client.exchange_text()
            await client.command(f"EHLO {ehlo}", 250)
        reply = await client.command(f"MAIL FROM:<{mail_from}> {parameters}".rstrip())
        if reply.code != 250:
            return reply
        replies = [await client.command(f"RCPT TO:<{recipient}>") for recipient in rcpt_tos]
        if not any(each.code in (250, 251) for each in replies):
            return replies[-1]
        reply = await client.data(content)
        with contextlib.suppress(ConnectionClosedError):  # the reply to QUIT does not matter
            await client.quit()
        return reply


async def send_mail_pipelined(
    host: str, port: int, mail_from: str, rcpt_tos: Sequence[str], content: bytes, *, timeout: float = 10
) -> SmtpReply:
    """Sends MAIL, RCPT and DATA in one write (RFC 2920), and the content and QUIT in another.

    Returns the reply to the content, or the first rejection.
    """
    client = await RawSmtp.connect(host, port, timeout=timeout)
    async with client:
        await client.command("EHLO client.test", 250)
        group = [f"MAIL FROM:<{mail_from}>", *(f"RCPT TO:<{recipient}>" for recipient in rcpt_tos), "DATA"]
        await client.send_bytes("".join(f"{line}\r\n" for line in group).encode())
        mail, *recipients, data = [await client.read_reply() for _ in group]
        if data.code != 354:
            refusals = [reply for reply in (mail, *recipients, data) if reply.code >= 400]
            return refusals[0]
        await client.send_bytes(dot_stuff(content) + b"QUIT\r\n")
        reply = await client.read_reply()
        await client.expect(221)
        await client.read_to_eof()
        return reply

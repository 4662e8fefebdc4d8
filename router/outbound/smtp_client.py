"""Sends one message by SMTP (RFC 5321) to a server of the configuration, without TLS and authentication.

A call ends within its time limit and never retries. The addresses come from the operator, so they are not restricted
to public ones.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address

from router.outbound.lookup import SystemResolver

Network = IPv4Network | IPv6Network

_MAX_LINE_BYTES = 2048  # RFC 5321 section 4.5.3.1.5 allows 512
_MAX_REPLY_LINES = 100
_UNPRINTABLE = re.compile(r"[^ -~]+")
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])(.*))?\r?\n", re.DOTALL)


class SmtpUnreachable(Exception):  # noqa: N818 - a state of the server, not a fault
    """No SMTP greeting of the expected program was received. `reason` is for display."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class SmtpRejected(Exception):  # noqa: N818 - an answer of the server, not a fault
    """The server did not accept the message. `reason` is for display."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class SmtpServerAddress:
    """The address of an SMTP server. An IPv6 `host` has no brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class SmtpClient:
    """Sends messages to servers that run a given program.

    Args:
        helo: The name of this host in EHLO.
        greeting: The text that the greeting of the program ends with. Nothing is sent to other programs.
        proxy_networks: The networks from which the server expects a PROXY protocol header.
        seconds: The time limit of one call.
    """

    def __init__(
        self, *, helo: str, greeting: str, proxy_networks: Sequence[Network] = (), seconds: float = 10.0
    ) -> None:
        self._helo = helo
        self._greeting = greeting
        self._proxy_networks = tuple(proxy_networks)
        self._seconds = seconds

    async def send(self, server: SmtpServerAddress, *, reverse_path: str, recipient: str, content: bytes) -> str:
        """Sends a message to one recipient. Returns the text of the reply that accepts it.

        Args:
            content: The message with CRLF line ends, whose header and text may contain UTF-8.

        Raises:
            SmtpUnreachable: Nothing was sent.
            SmtpRejected: The server rejected the message, or did not answer in time.
        """
        conversation: _Conversation | None = None
        try:
            async with asyncio.timeout(self._seconds):
                conversation = await self._connect(server)
                return await conversation.send(self._helo, reverse_path, recipient, content)
        except TimeoutError:
            problem = f"no reply within {self._seconds:g} s"
        except OSError as error:
            problem = error.strerror or str(error) or type(error).__name__
        except asyncio.IncompleteReadError:
            problem = "the connection was closed"
        except (ValueError, asyncio.LimitOverrunError):
            problem = "it is not an SMTP server"
        finally:
            if conversation is not None:
                conversation.close()
        raise SmtpRejected(problem) if conversation is not None else SmtpUnreachable(problem)

    async def _connect(self, server: SmtpServerAddress) -> _Conversation:
        """Connects to the first address of the server that answers, and reads its greeting."""
        failure: OSError | None = None
        for found in await SystemResolver().resolve(server.host, server.port):
            try:
                reader, writer = await asyncio.open_connection(found["host"], server.port, limit=_MAX_LINE_BYTES)
            except OSError as error:
                failure = error
                continue
            conversation = _Conversation(reader, writer)
            try:
                await self._read_greeting(conversation)
            except BaseException:
                conversation.close()
                raise
            return conversation
        raise failure or OSError("the host has no address")

    async def _read_greeting(self, conversation: _Conversation) -> None:
        source = ip_address(conversation.local_host.partition("%")[0])
        if any(source in network for network in self._proxy_networks):
            conversation.write(b"PROXY UNKNOWN\r\n")
        code, text = await conversation.read_reply()
        if code != 220:
            raise SmtpUnreachable(f"it replied {code} {text}")
        if not text.endswith(self._greeting):
            raise SmtpUnreachable(f"another mail server answers there: {text[:100]}")


class _Conversation:
    """The commands of one session."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def local_host(self) -> str:
        return str(self._writer.get_extra_info("sockname")[0])

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    async def send(self, helo: str, reverse_path: str, recipient: str, content: bytes) -> str:
        await self._command(f"EHLO {helo}")
        parameters = "BODY=8BITMIME" if recipient.isascii() else "BODY=8BITMIME SMTPUTF8"
        await self._command(f"MAIL FROM:<{reverse_path}> {parameters}")
        await self._command(f"RCPT TO:<{recipient}>")
        await self._command("DATA", expected=354)
        self.write(b"".join(_stuff(line) for line in content.splitlines(keepends=True)) + b".\r\n")
        await self._writer.drain()
        text = await self._read_expected("the end of the message", 250)
        self.write(b"QUIT\r\n")
        return text

    def close(self) -> None:
        self._writer.close()

    async def read_reply(self) -> tuple[int, str]:
        """Returns the code and the text of the last line. Raises ValueError if it is not an SMTP reply."""
        for _ in range(_MAX_REPLY_LINES):
            match = _REPLY_LINE.fullmatch(await self._reader.readuntil(b"\n"))
            if match is None:
                raise ValueError("not a line of an SMTP reply")
            if match[2] != b"-":
                text = (match[3] or b"").decode("ascii", "replace")
                return int(match[1]), _UNPRINTABLE.sub(" ", text).strip()
        raise ValueError("the reply has too many lines")

    async def _command(self, line: str, *, expected: int = 250) -> None:
        self.write(f"{line}\r\n".encode())
        await self._read_expected(line.partition(" ")[0], expected)

    async def _read_expected(self, command: str, expected: int) -> str:
        code, text = await self.read_reply()
        if code != expected:
            raise SmtpRejected(f"it replied {code} {text} to {command}")
        return text


def _stuff(line: bytes) -> bytes:
    """Doubles a leading dot (RFC 5321 section 4.5.2)."""
    return b"." + line if line.startswith(b".") else line

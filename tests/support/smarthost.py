"""A smarthost that answers as a test says, on the test's event loop.

    async with ScriptedSmarthost(user="mailer", password="secret") as smarthost:
        smarthost.answers["rcpt"] = "550 5.1.1 No such user"   # always
        smarthost.answers["final"] = ["451 4.3.0 Try later"]   # once, then the default answer
        access = SmarthostAccess("installation", parse(smarthost.url), Secret("secret"))

The steps in `answers`: greeting, ehlo, starttls, tls, auth, mail, rcpt, data, content, final, quit. An answer is a text
(several lines are sent as a multiline reply), bytes that are sent unchanged, a `Behaviour`, or a function of the
argument of the command that returns one of these, or None for the default answer. `content` is answered while the
content is received, and `tls` instead of the handshake. `LATE` waits for `smarthost.release()`.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import enum
import hmac
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

import trustme

MAX_BYTES = 64 * 1024 * 1024  # of a content
CONTENT_BYTES = 64 * 1024  # that are read before the step `content`
_COMMAND = re.compile(r"(?P<verb>[A-Za-z]+)(?: +(?P<argument>.*))?")
_PATH = re.compile(r"(?:FROM|TO):<(?P<address>[^>]*)>(?P<parameters>.*)", re.IGNORECASE)


class Behaviour(enum.Enum):
    """What happens instead of an answer."""

    HANG = "no answer until the client disconnects"
    CLOSE = "closes the connection"
    STALL = "reads nothing more, and stays connected"
    LATE = "the default answer, after release()"


HANG, CLOSE, STALL, LATE = Behaviour.HANG, Behaviour.CLOSE, Behaviour.STALL, Behaviour.LATE
Answer = str | bytes | Behaviour
Rule = Answer | Callable[[str], Answer | None]


@dataclass(slots=True)
class ReceivedMail:
    """A message whose final dot was received. `is_accepted`: it was answered with 2yz, or would have been."""

    sender: str
    recipients: list[str]
    content: bytes
    parameters: str
    is_tls: bool
    user: str
    is_accepted: bool = True


class _ConnectionEnded(Exception):  # noqa: N818 - not an error
    pass


@dataclass(slots=True)
class ScriptedSmarthost:
    """Listens on a port of 127.0.0.1 that the system chooses.

    Attributes:
        authority: Issues the certificate, for `certificate_names`. None: no TLS.
        implicit_tls: TLS from the start, without STARTTLS.
        extensions: Further lines of EHLO. SIZE and SMTPUTF8 have attributes of their own.
        user, password: The only login. `""`: AUTH is not offered.
        requires_login: MAIL without authentication is answered with 530.
        commands: All received commands, without credentials.
    """

    authority: trustme.CA | None = None
    certificate_names: tuple[str, ...] = ("localhost", "127.0.0.1", "smarthost.test")
    implicit_tls: bool = False
    user: str = ""
    password: str = ""
    requires_login: bool = False
    auth_methods: tuple[str, ...] = ("PLAIN", "LOGIN", "CRAM-MD5")
    extensions: tuple[str, ...] = ("8BITMIME", "ENHANCEDSTATUSCODES", "PIPELINING")
    size: int | None = None
    smtputf8: bool = True
    final_text: str = "2.0.0 Ok: queued as 4F6D2"
    answers: dict[str, Rule | list[Rule]] = field(default_factory=dict)
    transactions: list[ReceivedMail] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    connection_count: int = 0
    port: int = 0
    _released: asyncio.Event = field(default_factory=asyncio.Event)
    _received: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _server: asyncio.Server | None = None
    _tls: ssl.SSLContext | None = None

    async def __aenter__(self) -> Self:
        if self.authority is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(*self.certificate_names).configure_cert(self._tls)
        implicit = self._tls if self.implicit_tls else None
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port, ssl=implicit, limit=MAX_BYTES)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def url(self) -> str:
        return self.url_of("127.0.0.1")

    def url_of(self, host: str) -> str:
        user = f"{self.user}@" if self.user else ""
        return f"{'smtps' if self.implicit_tls else 'smtp'}://{user}{host}:{self.port}"

    @property
    def accepted(self) -> list[ReceivedMail]:
        return [transaction for transaction in self.transactions if transaction.is_accepted]

    async def wait_for_final_dot(self) -> None:
        """Returns after the next final dot, or at once if there was one since the last call."""
        await self._received.wait()
        self._received.clear()

    async def wait_until_idle(self) -> None:
        """Returns when no client is connected."""
        await asyncio.gather(*self._tasks)

    def release(self) -> None:
        """Sends the answers that are `LATE`, also future ones."""
        self._released.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connection_count += 1
        try:
            await _Connection(self, reader, writer).run()
        except (_ConnectionEnded, OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # asyncio logs a cancelled connection as an error
        finally:
            self._tasks.discard(task)
            writer.close()


class _Connection:
    """The dialogue with one client."""

    def __init__(
        self, smarthost: ScriptedSmarthost, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._smarthost = smarthost
        self._reader = reader
        self._writer = writer
        self._is_tls = smarthost.implicit_tls and smarthost.authority is not None
        self._user = ""
        self._sender: str | None = None
        self._parameters = ""
        self._recipients: list[str] = []

    async def run(self) -> None:
        await self._answer("greeting", "", "220 smarthost.test ESMTP")
        handlers = {
            "EHLO": self._ehlo,
            "STARTTLS": self._starttls,
            "AUTH": self._auth,
            "MAIL": self._mail,
            "RCPT": self._rcpt,
            "DATA": self._data,
            "QUIT": self._quit,
        }
        while line := await self._reader.readline():
            command = _COMMAND.fullmatch(line.decode("utf-8", "replace").rstrip("\r\n"))
            verb = command["verb"].upper() if command else ""
            argument = (command["argument"] or "") if command else ""
            self._smarthost.commands.append(f"{verb} {'***' if verb == 'AUTH' else argument}".strip())
            if verb in handlers:
                await handlers[verb](argument)
            else:
                await self._send("500 5.5.1 Command unrecognized")

    async def _ehlo(self, argument: str) -> None:
        smarthost = self._smarthost
        lines = ["smarthost.test", *smarthost.extensions]
        lines += ["STARTTLS"] if smarthost.authority is not None and not self._is_tls else []
        lines += [f"AUTH {' '.join(smarthost.auth_methods)}"] if smarthost.user else []
        lines += ["SMTPUTF8"] if smarthost.smtputf8 else []
        lines += [f"SIZE {smarthost.size}"] if smarthost.size is not None else []
        await self._answer("ehlo", argument, "250 " + "\n".join(lines))

    async def _starttls(self, argument: str) -> None:
        await self._answer("starttls", argument, "220 2.0.0 Ready to start TLS")
        if "tls" in self._smarthost.answers:
            await self._answer("tls", argument, "")
            return
        assert self._smarthost._tls is not None
        await self._writer.start_tls(self._smarthost._tls)
        self._is_tls = True

    async def _auth(self, argument: str) -> None:
        method, _, initial = argument.partition(" ")
        user, is_valid = await self._read_login(method.upper(), initial)
        is_valid = is_valid and user == self._smarthost.user
        if await self._answer("auth", user, "235 2.7.0 OK" if is_valid else "535 5.7.8 Authentication failed"):
            self._user = user

    async def _read_login(self, method: str, initial: str) -> tuple[str, bool]:
        password = self._smarthost.password
        if method == "PLAIN":
            _, user, given = _decode(initial or await self._ask("")).split("\0")
            return user, given == password
        if method == "LOGIN":
            user = _decode(initial or await self._ask("Username:"))
            return user, _decode(await self._ask("Password:")) == password
        challenge = "<1896.697170952@smarthost.test>"
        user, _, digest = _decode(await self._ask(challenge)).partition(" ")
        return user, digest == hmac.new(password.encode(), challenge.encode(), "md5").hexdigest()

    async def _ask(self, text: str) -> str:
        await self._send(f"334 {base64.b64encode(text.encode()).decode()}")
        return (await self._reader.readline()).decode().strip()

    async def _mail(self, argument: str) -> None:
        path = _PATH.fullmatch(argument)
        assert path is not None, argument
        needs_login = self._smarthost.requires_login and not self._user
        default = "530 5.7.0 Authentication required" if needs_login else "250 2.1.0 Ok"
        if await self._answer("mail", path["address"], default):
            self._sender, self._parameters, self._recipients = path["address"], path["parameters"].strip(), []

    async def _rcpt(self, argument: str) -> None:
        path = _PATH.fullmatch(argument)
        assert path is not None, argument
        assert self._sender is not None
        if await self._answer("rcpt", path["address"], "250 2.1.5 Ok"):
            self._recipients.append(path["address"])

    async def _data(self, argument: str) -> None:
        assert self._recipients
        if not await self._answer("data", argument, "354 End data with <CR><LF>.<CR><LF>"):
            return
        content = b""
        if "content" in self._smarthost.answers:
            content = await self._reader.read(CONTENT_BYTES)
            await self._answer("content", "", "")
        content += await self._reader.readuntil(b"\r\n.\r\n")
        content = content[: -len(b".\r\n")].replace(b"\n..", b"\n.")
        content = content[1:] if content.startswith(b"..") else content
        assert self._sender is not None
        transaction = ReceivedMail(
            self._sender, self._recipients, content, self._parameters, self._is_tls, self._user, is_accepted=False
        )
        self._smarthost.transactions.append(transaction)
        self._smarthost._received.set()
        transaction.is_accepted = await self._answer("final", self._recipients[0], f"250 {self._smarthost.final_text}")
        self._sender = None

    async def _quit(self, argument: str) -> None:
        await self._answer("quit", argument, "221 2.0.0 Bye")
        raise _ConnectionEnded

    async def _answer(self, step: str, argument: str, default: str) -> bool:
        """Answers a step as the script says. Returns whether the answer is positive (2yz or 3yz)."""
        answer: Answer | None
        rule = self._smarthost.answers.get(step)
        if isinstance(rule, list):
            rule = rule.pop(0) if rule else None
        answer = rule(argument) if callable(rule) else rule
        if answer is CLOSE:
            raise _ConnectionEnded
        if answer is HANG:
            while await self._reader.read(CONTENT_BYTES):
                pass
            raise _ConnectionEnded
        if answer is STALL:
            self._writer.transport.pause_reading()  # type: ignore[attr-defined]
            await asyncio.Event().wait()
        if answer is LATE:
            await self._smarthost._released.wait()
            answer = None
        answer = default if answer is None else answer
        assert isinstance(answer, str | bytes)
        if answer:
            await self._send(answer)
        return answer[:1] in ("2", "3", b"2", b"3")

    async def _send(self, answer: str | bytes) -> None:
        if isinstance(answer, str):
            code, lines = answer[:3], answer[4:].split("\n")
            marks = ["-"] * (len(lines) - 1) + [" "]
            answer = "".join(f"{code}{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode()
        self._writer.write(answer)
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()


def _decode(text: str) -> str:
    return base64.b64decode(text).decode()

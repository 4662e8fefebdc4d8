"""The behaviour of aiosmtpd and asyncio that `smtp.connection` relies on or replaces.

If these tests fail with a new aiosmtpd, read its changes, adapt `Connection`, and update decision record 0022.
"""

# ruff: noqa: N802 - aiosmtpd prescribes the names of handlers and methods

import asyncio
import inspect
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import pytest
from aiosmtpd import smtp as upstream

from smtp.connection import Connection
from smtp.session import Session
from tests.support.smtp import RawSmtp, SmtpReply
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until

MAIL = ("EHLO client.test", "MAIL FROM:<a@client.test>", "RCPT TO:<support@example.com>")


class Handler:
    """Records the hooks that a stock server calls. Its DATA hook raises `failure` or waits for `gate`."""

    def __init__(self) -> None:
        self.hooks: list[str] = []
        self.failure: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.cancelled = False

    async def handle_HELO(self, server: Any, session: Any, _envelope: Any, hostname: str) -> str:
        self.hooks.append("HELO")
        session.host_name = hostname
        return "250 mx"

    async def handle_EHLO(
        self, server: Any, session: Any, _envelope: Any, hostname: str, lines: list[str]
    ) -> list[str]:
        self.hooks.append("EHLO")
        session.host_name = hostname
        return lines

    async def handle_MAIL(self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        self.hooks.append("MAIL")
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, _options: list[str]) -> str:
        self.hooks.append("RCPT")
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_RSET(self, server: Any, _session: Any, _envelope: Any) -> str:
        self.hooks.append("RSET")
        return "250 OK"

    async def handle_NOOP(self, server: Any, _session: Any, _envelope: Any, _argument: str) -> str:
        self.hooks.append("NOOP")
        return "250 OK"

    async def handle_VRFY(self, server: Any, _session: Any, _envelope: Any, _address: str) -> str:
        self.hooks.append("VRFY")
        return "252 OK"

    async def handle_DATA(self, server: Any, _session: Any, _envelope: Any) -> str:
        self.hooks.append("DATA")
        self.entered.set()
        if self.failure is not None:
            raise self.failure
        try:
            if self.gate is not None:
                await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return "250 OK"


@asynccontextmanager
async def stock_server(handler: Handler, kind: Callable[..., upstream.SMTP] = upstream.SMTP) -> AsyncIterator[RawSmtp]:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: kind(handler, hostname="mx", loop=loop), "127.0.0.1", 0)
    try:
        async with await RawSmtp.connect("127.0.0.1", server.sockets[0].getsockname()[1]) as client:
            yield client
    finally:
        server.close()


async def send_commands(client: RawSmtp, *lines: str) -> SmtpReply:
    for line in lines:
        reply = await client.command(line)
    return reply


# Upstream behaviour that `Connection` keeps.


async def test_connection_is_one_task_that_runs_handle_client() -> None:
    started: list[upstream.SMTP] = []

    class RecordingServer(upstream.SMTP):
        async def _handle_client(self) -> None:
            started.append(self)
            assert self._handler_coroutine is asyncio.current_task()
            # uvloop's transports are not subclasses of asyncio.Transport.
            transport = cast("asyncio.Transport", self.transport)
            transport.write(b"220 mx\r\n")
            transport.close()

    async with stock_server(Handler(), RecordingServer):
        assert len(started) == 1
        assert isinstance(started[0], asyncio.Protocol)
    async with running_server() as server, await RawSmtp.connect(server.host, server.port):
        task = server.connection._handler_coroutine
        assert isinstance(task, asyncio.Task)
        assert "Connection._handle_client" in repr(task)


async def test_command_is_a_method_found_by_its_name() -> None:
    class Extended(upstream.SMTP):
        async def smtp_PING(self, arg: str) -> None:
            await self.push(f"250 pong {arg}")

    async with stock_server(Handler(), Extended) as client:
        assert (await client.command("PING now", 250)).text == "pong now"


def test_every_upstream_command_except_auth_is_replaced() -> None:
    """The server does not relay mail for users, so it has no AUTH."""
    upstream_names = {name for name in dir(upstream.SMTP) if name.startswith("smtp_")}
    own_names = {name for name in vars(Connection) if name.startswith("smtp_")}
    assert upstream_names - own_names == {"smtp_AUTH"}
    for name in upstream_names & own_names:
        assert inspect.iscoroutinefunction(getattr(upstream.SMTP, name)), name
        assert inspect.iscoroutinefunction(getattr(Connection, name)), name


async def test_handler_names_are_those_of_upstream() -> None:
    handler = Handler()
    async with stock_server(handler) as client:
        await send_commands(client, "HELO client.test", *MAIL, "NOOP", "VRFY a@b.test", "RSET", *MAIL[1:])
        await client.data(b"x\r\n")
    own_names = {name.removeprefix("handle_") for name in dir(Session) if name.startswith("handle_")}
    assert own_names - set(handler.hooks) == {"STARTTLS", "BDAT"}, "STARTTLS needs TLS, BDAT does not exist upstream"


# Isolation from all other upstream code.


async def test_no_upstream_method_runs_in_a_session(
    monkeypatch: pytest.MonkeyPatch, tls_files: tuple[Path, Path], tls_client: ssl.SSLContext
) -> None:

    def fails(*_: Any, **__: Any) -> None:
        raise AssertionError("a method of aiosmtpd was called")

    for name, value in vars(upstream.SMTP).items():
        if inspect.isfunction(value) and name not in vars(Connection) and name != "__del__":
            monkeypatch.setattr(upstream.SMTP, name, fails)
    async with (
        running_server(tls_cert=tls_files[0], tls_key=tls_files[1]) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        await client.starttls(tls_client)
        for end in (b"DATA\r\nx\r\n.\r\n", b"BDAT 3 LAST\r\nx\r\n"):
            await send_commands(client, *MAIL)
            await client.send_bytes(end)
            await client.expect(354 if end.startswith(b"DATA") else 250)
            if end.startswith(b"DATA"):
                await client.expect(250)
        for line in ("HELO client.test", "NOOP", "RSET", "VRFY x", "HELP", "AUTH PLAIN", "nonsense"):
            await client.command(line)
        await client.quit()
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        assert len(server.mails.mails) == 2


async def test_no_attribute_name_collides_with_upstream() -> None:
    """An attribute that both classes used for different values would be overwritten without an error."""
    loop = asyncio.get_running_loop()
    upstream_names = vars(upstream.SMTP(object(), hostname="mx", loop=loop))
    async with running_server() as server, await RawSmtp.connect(server.host, server.port):
        own_names = vars(server.connection)
    asyncios = vars(asyncio.StreamReaderProtocol(None, loop=loop))  # type: ignore[arg-type]  # None: no reader
    assert set(upstream_names) & set(own_names) - set(asyncios) == {"loop", "_handler_coroutine"}
    assert not {name for name in own_names if name not in asyncios} & set(dir(upstream.SMTP)) - {"loop"}


async def test_asyncio_protocol_works_without_a_reader() -> None:
    """`Connection` reads with `Transport`, so the protocol has no StreamReader."""
    loop = asyncio.get_running_loop()
    for error in (None, ConnectionResetError()):
        protocol = asyncio.StreamReaderProtocol(None, loop=loop)  # type: ignore[arg-type]  # None: no reader
        protocol.connection_lost(error)


# Upstream behaviour that `Connection` replaces. If a release changes it, the replacement may be unnecessary.


async def test_stock_cancels_a_handler_when_the_client_closes() -> None:
    handler = Handler()
    handler.gate = asyncio.Event()
    async with stock_server(handler) as client:
        await send_commands(client, *MAIL, "DATA")
        await client.send_bytes(b"x\r\n.\r\n")
        await handler.entered.wait()
        client.half_close()
        await wait_until(lambda: handler.cancelled, "the handler is cancelled")


async def test_stock_sends_the_text_of_an_exception() -> None:
    handler = Handler()
    handler.failure = RuntimeError("an internal detail")
    async with stock_server(handler) as client:
        await send_commands(client, *MAIL, "DATA")
        await client.send_bytes(b"x\r\n.\r\n")
        assert "an internal detail" in str(await client.read_reply())


async def test_stock_ends_a_command_with_a_bare_lf() -> None:
    async with stock_server(Handler()) as client:
        await client.send_bytes(b"NOOP\nNOOP\n")
        await client.expect(250)
        await client.expect(250)


async def test_stock_rejects_a_long_content_line() -> None:
    async with stock_server(Handler()) as client:
        await send_commands(client, *MAIL, "DATA")
        await client.send_bytes(b"x" * 2000 + b"\r\n.\r\n")
        assert (await client.read_reply()).code == 500


async def test_stock_offers_neither_pipelining_nor_chunking_nor_enhanced_codes() -> None:
    async with stock_server(Handler()) as client:
        offered = await client.command("EHLO client.test", 250)
        assert not {"PIPELINING", "CHUNKING", "ENHANCEDSTATUSCODES"} & set(offered.lines)

"""Shutdown: idle sessions get 421, and messages can be completed in a grace period."""

import asyncio
from datetime import timedelta

import pytest

from tests.integration.smtp.test_deadlines import start_data
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.support.waiting import wait_until

LONG = timedelta(seconds=20)
NOW = timedelta(0)


async def start_mail(server: RunningSmtpServer) -> RawSmtp:
    client = await RawSmtp.connect(server.host, server.port)
    await client.command("EHLO client.test", 250)
    await client.command("MAIL FROM:<a@client.test>", 250)
    return client


async def start_drain(server: RunningSmtpServer, grace: timedelta) -> "asyncio.Future[None]":
    draining = asyncio.ensure_future(server.server.drain(grace))
    await wait_until(lambda: not server.server.addresses, "the server drains")
    return draining


async def test_idle_sessions_close_and_new_connections_are_refused() -> None:
    async with running_server() as server:
        host, port = server.host, server.port
        idle = await RawSmtp.connect(host, port)
        await idle.command("EHLO client.test", 250)
        await server.server.drain(LONG)
        assert str(await idle.read_reply()).startswith("421 4.3.2")
        assert not await idle.read_to_eof()
        assert server.server.addresses == []
        with pytest.raises(ConnectionError):
            await RawSmtp.connect(host, port)
        await idle.close()


async def test_running_mail_completes_before_the_session_ends() -> None:
    async with running_server() as server:
        client = await start_data(server)
        draining = await start_drain(server, LONG)
        await client.send_bytes(b"x\r\n.\r\n")
        assert (await client.read_reply()).code == 250
        assert str(await client.read_reply()).startswith("421 4.3.2")
        assert not await client.read_to_eof()
        await asyncio.wait_for(draining, 5)
        assert server.mails.contents == [b"x\r\n"]
        await client.close()


async def test_mail_between_its_commands_continues() -> None:
    async with running_server() as server:
        client = await start_mail(server)
        draining = await start_drain(server, LONG)
        await client.command("RCPT TO:<support@example.com>", 250)
        assert (await client.data(b"x\r\n")).code == 250
        assert str(await client.read_reply()).startswith("421 4.3.2")
        await asyncio.wait_for(draining, 5)
        await client.close()


async def test_incomplete_mail_is_cut_off_after_the_grace_period() -> None:
    async with running_server() as server:
        client = await start_data(server)
        await client.send_bytes(b"x\r\n")
        await server.server.drain(NOW)
        assert str(await client.read_reply()).startswith("421 4.3.2")
        assert not await client.read_to_eof()
        assert not server.mails.mails
        await client.close()


async def test_commit_may_finish_after_the_grace_period() -> None:
    async with running_server() as server:
        server.mails.gate = asyncio.Event()
        client = await start_data(server)
        await client.send_bytes(b"x\r\n.\r\n")
        await server.mails.accept_started.wait()
        draining = await start_drain(server, NOW)
        await asyncio.wait([draining], timeout=0.05)
        assert not draining.done()
        server.mails.gate.set()
        assert (await client.read_reply()).code == 250
        assert str(await client.read_reply()).startswith("421 4.3.2")
        await asyncio.wait_for(draining, 5)
        assert len(server.mails.mails) == 1
        await client.close()


async def test_hanging_commit_does_not_block_shutdown() -> None:
    async with running_server(bounds={"commit_timeout": 0.1}) as server:
        server.mails.gate = asyncio.Event()
        client = await start_data(server)
        await client.send_bytes(b"x\r\n.\r\n")
        await server.mails.accept_started.wait()
        await asyncio.wait_for(server.server.drain(NOW), 5)
        # The reply is 250 only if the commit is known to have succeeded.
        assert str(await client.read_reply()).startswith("421 4.3.2")
        await client.close()


async def test_slow_recipient_after_the_grace_period() -> None:
    async with running_server() as server:
        client = await start_mail(server)
        server.recipients.gate = asyncio.Event()
        await client.send_line("RCPT TO:<support@example.com>")
        await wait_until(lambda: bool(server.recipients.queries), "the recipient is resolved")
        draining = asyncio.ensure_future(server.server.drain(NOW))
        await asyncio.wait([draining], timeout=0.05)
        server.recipients.gate.set()
        assert (await client.read_reply()).code == 250
        assert str(await client.read_reply()).startswith("421 4.3.2")
        await asyncio.wait_for(draining, 5)
        await client.close()

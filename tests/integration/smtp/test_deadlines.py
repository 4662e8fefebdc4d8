"""Silent, slow and non-reading peers are disconnected; peers that wait for the server are not.

The configured time limits are short, so that the tests are fast.
"""

import asyncio
from unittest import mock

from tests.integration.smtp.fuzz_wires import FuzzTransport
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import RunningSmtpServer, running_server
from tests.support.waiting import wait_until


async def start_data(server: RunningSmtpServer) -> RawSmtp:
    client = await RawSmtp.connect(server.host, server.port)
    await client.command("EHLO client.test", 250)
    await client.command("MAIL FROM:<a@client.test>", 250)
    await client.command("RCPT TO:<support@example.com>", 250)
    await client.command("DATA", 354)
    return client


async def test_silence_before_a_command() -> None:
    async with (
        running_server(command_timeout="100ms") as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        assert str(await client.read_reply()).startswith("421 4.4.2")
        assert not await client.read_to_eof()


async def test_slow_bytes_do_not_extend_the_command_timeout() -> None:
    async with (
        running_server(command_timeout="200ms") as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        reply_task = asyncio.ensure_future(client.read_reply())
        while not reply_task.done():
            await client.send_bytes(b"N")
            await asyncio.wait([reply_task], timeout=0.02)
        assert str(reply_task.result()).startswith("421 4.4.2")


async def test_silence_in_data() -> None:
    async with running_server(data_timeout="100ms") as server:
        async with await start_data(server) as client:
            await client.send_bytes(b"x\r\n")
            assert str(await client.read_reply()).startswith("421 4.4.2")
            assert not await client.read_to_eof()
        assert not server.mails.mails


async def test_too_slow_in_data() -> None:
    async with running_server(data_timeout="300ms", min_data_rate=10000) as server, await start_data(server) as client:
        reply_task = asyncio.ensure_future(client.read_reply())
        while not reply_task.done():
            await client.send_bytes(b"x\r\n")
            await asyncio.wait([reply_task], timeout=0.02)
        assert str(reply_task.result()).startswith("421 4.4.2")
        assert not server.mails.mails


async def test_server_time_does_not_count_against_the_peer() -> None:
    async with running_server(command_timeout="100ms", data_timeout="100ms") as server:
        server.mails.gate = asyncio.Event()
        async with await start_data(server) as client:
            await client.send_bytes(b"x\r\n.\r\n")
            # The timeout of another session shows that the time limit has passed.
            async with await RawSmtp.connect(server.host, server.port) as other:
                assert (await other.read_reply()).code == 421
            server.mails.gate.set()
            assert (await client.read_reply()).code == 250


async def test_peer_that_does_not_read_is_disconnected() -> None:
    async with running_server(
        bounds={"closing_timeout": 0.1}, command_timeout="300ms", errors_per_session=10**9
    ) as server:
        client = await RawSmtp.connect(server.host, server.port)
        flood = asyncio.ensure_future(client.send_bytes(b"FNORD\r\n" * 2_000_000))
        await wait_until(lambda: server.server.connection_count == 0, "the session ends", timeout=30)
        flood.cancel()
        await asyncio.wait([flood])
        await client.close()


async def test_connection_counts_until_it_is_closed() -> None:
    """The connection of a peer that does not read the last reply must be aborted."""

    class UnreadTransport(FuzzTransport):
        def close(self) -> None:
            self.closing = True

    async with running_server() as server:
        connection = server.server._create_connection()
        wire = UnreadTransport("192.0.2.1")
        connection.connection_made(wire)
        connection.data_received(b"QUIT\r\n")
        await wait_until(lambda: connection._task_done, "the task ends")
        assert wire.is_closing()
        assert server.server.connection_count == 1
        now = asyncio.get_running_loop().time()
        with mock.patch.object(wire, "abort") as abort:
            connection.check_deadlines(now + 9.9, 300.0)
            assert abort.call_count == 0
            connection.check_deadlines(now + 11.0, 300.0)
            assert abort.call_count == 1
        connection.connection_lost(None)
        connection.connection_lost(None)  # a second report has no effect
        assert server.server.connection_count == server.server._context.limits.connection_count == 0


async def test_shorter_timeout_while_connections_are_scarce() -> None:
    async with running_server(max_connections=2) as server:
        first = await RawSmtp.connect(server.host, server.port)
        loop = asyncio.get_running_loop()
        connection = server.connection
        second = await RawSmtp.connect(server.host, server.port)
        assert server.server._context.limits.connections_scarce
        # Runs the timer's check as if eleven seconds had passed.
        connection.check_deadlines(loop.time() + 11, server.server._command_timeout())
        assert str(await first.read_reply()).startswith("421 4.4.2")
        await first.close()
        await second.close()

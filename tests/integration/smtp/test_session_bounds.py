"""Sessions have an end, also those of clients that send commands all the time."""

import asyncio

import pytest

from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server

MAIL, RCPT = b"MAIL FROM:<a@client.test>\r\n", b"RCPT TO:<support@example.com>\r\n"
TWENTY_MINUTES = 1200.0


async def greeted(host: str, port: int) -> RawSmtp:
    client = await RawSmtp.connect(host, port)
    await client.command("EHLO client.test", 250)
    return client


async def test_mails_that_never_come_end_the_session() -> None:
    """A complete one starts the count from the beginning. 421 and never 5yz: the next mail may be legitimate."""
    async with running_server(bounds={"max_unfinished_mails": 3}) as server:
        client = await greeted(server.host, server.port)
        for _ in range(2):
            await client.send_bytes((MAIL + b"RSET\r\n") * 2 + MAIL + RCPT)
            for _ in range(6):
                await client.expect(250)
            assert (await client.data(b"x\r\n")).code == 250
        await client.send_bytes((MAIL + b"RSET\r\n") * 4)
        for code in (*[250] * 6, 421):
            await client.expect(code)
        assert not await client.eof()
        await client.close()


async def test_a_repeated_recipient_is_an_idle_command() -> None:
    async with running_server() as server:
        client = await greeted(server.host, server.port)
        await client.send_bytes(MAIL + RCPT * 120)
        for code in (*[250] * 102, *[503] * 10, 421):
            await client.expect(code)
        await client.close()


async def test_a_session_past_its_time_ends_after_the_mail() -> None:
    """Pipelined mails without a pause do not extend it."""
    async with running_server() as server:
        client = await greeted(server.host, server.port)
        connection, now = server.connection, asyncio.get_running_loop().time()
        connection.check(now + TWENTY_MINUTES - 60, 1e9)
        await client.send_bytes(MAIL + RCPT)
        await client.expect(250)
        await client.expect(250)
        connection.check(now + TWENTY_MINUTES, 1e9)
        await client.command("DATA", 354)
        await client.send_bytes(b"x\r\n.\r\n" + MAIL + RCPT)
        await client.expect(250)
        assert str(await client.read_reply()).startswith("421 4.4.2")
        assert not await client.eof()
        assert server.mails.contents == [b"x\r\n"]
        await client.close()


async def test_a_session_past_its_time_ends_at_once_outside_a_mail() -> None:
    async with running_server() as server:
        client = await greeted(server.host, server.port)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RSET", 250)
        server.connection.check(asyncio.get_running_loop().time() + TWENTY_MINUTES, 1e9)
        assert str(await client.read_reply()).startswith("421 4.4.2")
        assert not await client.eof()
        await client.close()


@pytest.mark.parametrize("command", [b"NOOP\r\n", RCPT, b"BDAT 1\r\nx"], ids=["NOOP", "RCPT", "BDAT"])
async def test_commands_that_never_complete_a_mail_are_timed_together(command: bytes) -> None:
    async with running_server() as server:
        client = await greeted(server.host, server.port)
        await client.send_bytes(MAIL + RCPT + command)
        for _ in range(3):
            await client.expect(250)
        server.connection._deadline.command_time += 899.0
        server.connection.check(asyncio.get_running_loop().time() + 2.0, 300.0)
        assert str(await client.read_reply()).startswith("421 4.4.2 Session")
        assert not server.mails.mails
        await client.close()


async def test_a_complete_mail_gives_the_next_one_its_time() -> None:
    async with running_server() as server:
        client = await greeted(server.host, server.port)
        server.connection._deadline.command_time = 899.0
        await client.send_bytes(MAIL + RCPT + b"BDAT 3 LAST\r\nx\r\n")
        for _ in range(3):
            await client.expect(250)
        assert server.connection._deadline.command_time == 0.0
        await client.close()

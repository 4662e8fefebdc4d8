"""Limits on the duration of sessions, on rejected recipients, and on log events of rejections."""

import asyncio

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from smtp.connection import Connection
from smtp.deadline import Phase
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until
from tests.unit.smtp.test_refusals import CountingMeter

MAIL, RCPT = b"MAIL FROM:<a@client.test>\r\n", b"RCPT TO:<support@example.com>\r\n"
# A second more than max_session: the server can open the connection after the test has read the clock.
TWENTY_MINUTES = 1201.0


async def connect(host: str, port: int) -> RawSmtp:
    client = await RawSmtp.connect(host, port)
    await client.command("EHLO client.test", 250)
    return client


async def wait_for_command_phase(connection: Connection) -> None:
    """Waits until the command timeout applies; the reply to the previous command may arrive earlier."""
    await wait_until(lambda: connection.phase is Phase.COMMAND, "the server waits for a command")


def refusal_events(logs: list[EventDict]) -> list[EventDict]:
    return [line for line in logs if line["event"] == "smtp.refused"]


async def test_transaction_has_one_event_for_its_refusals() -> None:
    meter = CountingMeter()
    async with running_server(meter=meter, max_recipients=3, bounds={"guess_delay": 0.0}) as server:
        client = await connect(server.host, server.port)
        with capture_logs() as logs:
            unknown = b"RCPT TO:<nobody@example.com>\r\nRCPT TO:<x@elsewhere.example>\r\n"
            users = b"".join(b"RCPT TO:<user%d@example.com>\r\n" % n for n in range(93))
            await client.send_bytes(MAIL + unknown + users)
            for code in (250, 550, 550, 250, 250, 250, *[452] * 90):
                await client.expect(code)
            assert not refusal_events(logs)
            assert (await client.data(b"x\r\n")).code == 250
        (line,) = refusal_events(logs)
        counts = {"no_such_alias": 1, "relay_denied": 1, "too_many_recipients": 90}
        assert (line["count"], line["reasons"], line["reverse_path"]) == (92, counts, "a@client.test")
        assert line["refused_recipients"][:2] == ["nobody@example.com", "x@elsewhere.example"]
        assert meter.reasons == counts
        await client.close()


async def test_flood_of_rejected_recipients_ends_the_session() -> None:
    meter = CountingMeter()
    async with running_server(meter=meter) as server:
        client = await connect(server.host, server.port)
        with capture_logs() as logs:
            await client.send_bytes(MAIL + b"RCPT TO:<disabled@example.com>\r\n" * 1000)
            for code in (250, *[550] * 100, 421):
                await client.expect(code)
            assert not await client.read_to_eof()
            await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        assert [line["reasons"] for line in refusal_events(logs)] == [{"alias_disabled": 100, "too_many_refused": 1}]
        assert meter.reasons == {"alias_disabled": 100, "too_many_refused": 1}
        await client.close()


async def test_rejected_senders_have_one_event_before_the_next_mail() -> None:
    async with running_server(blocked_senders=["bad@spam.example"]) as server:
        client = await connect(server.host, server.port)
        with capture_logs() as logs:
            for _ in range(20):
                await client.command("MAIL FROM:<bad@spam.example>", 550)
                await client.command("RSET", 250)
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<nobody@example.com>", 550)
            await client.quit()
            await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        found = [(line["reverse_path"], line["reasons"]) for line in refusal_events(logs)]
        assert found == [("bad@spam.example", {"sender_blocked": 20}), ("a@client.test", {"no_such_alias": 1})]
        await client.close()


async def test_transactions_past_the_log_limit_share_an_event() -> None:
    async with running_server(bounds={"max_log_lines": 1}) as server:
        client = await connect(server.host, server.port)
        with capture_logs() as logs:
            for _ in range(3):
                await client.command("MAIL FROM:<a@client.test>", 250)
                await client.command("RCPT TO:<disabled@example.com>", 550)
                await client.command("RSET", 250)
            server.server._log_network_refusals()
        assert [(line.get("peer"), line["count"]) for line in refusal_events(logs)] == [("127.0.0.1", 1), (None, 2)]
        await client.close()


async def test_unfinished_mails_end_the_session() -> None:
    """The last reply is 421, not 5yz: the next message may be legitimate."""
    async with running_server(bounds={"max_unfinished_mails": 3}) as server:
        client = await connect(server.host, server.port)
        for _ in range(2):
            await client.send_bytes((MAIL + b"RSET\r\n") * 2 + MAIL + RCPT)
            for _ in range(6):
                await client.expect(250)
            assert (await client.data(b"x\r\n")).code == 250
        await client.send_bytes((MAIL + b"RSET\r\n") * 4)
        for code in (*[250] * 6, 421):
            await client.expect(code)
        assert not await client.read_to_eof()
        await client.close()


async def test_repeated_recipient_is_an_idle_command() -> None:
    async with running_server() as server:
        client = await connect(server.host, server.port)
        await client.send_bytes(MAIL + RCPT * 120)
        for code in (*[250] * 102, *[503] * 10, 421):
            await client.expect(code)
        await client.close()


async def test_expired_session_ends_after_the_mail() -> None:
    async with running_server() as server:
        client = await connect(server.host, server.port)
        connection, now = server.connection, asyncio.get_running_loop().time()
        connection.check_deadlines(now + TWENTY_MINUTES - 60, 1e9)
        await client.send_bytes(MAIL + RCPT)
        await client.expect(250)
        await client.expect(250)
        connection.check_deadlines(now + TWENTY_MINUTES, 1e9)
        await client.command("DATA", 354)
        await client.send_bytes(b"x\r\n.\r\n" + MAIL + RCPT)
        await client.expect(250)
        assert str(await client.read_reply()).startswith("421 4.4.2")
        assert not await client.read_to_eof()
        assert server.mails.contents == [b"x\r\n"]
        await client.close()


async def test_expired_session_ends_at_once_outside_a_mail() -> None:
    async with running_server() as server:
        client = await connect(server.host, server.port)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RSET", 250)
        await wait_for_command_phase(server.connection)
        server.connection.check_deadlines(asyncio.get_running_loop().time() + TWENTY_MINUTES, 1e9)
        assert str(await client.read_reply()).startswith("421 4.4.2")
        assert not await client.read_to_eof()
        await client.close()


@pytest.mark.parametrize(
    ("before", "over_before"),
    [(b"", False), (MAIL, True), (MAIL, False), (MAIL + b"RCPT TO:<disabled@example.com>\r\n", False)],
    ids=["no mail", "no recipient, over before", "no recipient", "refused recipient"],
)
async def test_expired_session_ends_inside_a_rejected_chunk(before: bytes, over_before: bool) -> None:
    """The rest of a rejected chunk belongs to no message. At the minimum rate, reading it could take hours."""
    async with running_server() as server:
        client = await connect(server.host, server.port)
        connection, now = server.connection, asyncio.get_running_loop().time()
        await client.send_bytes(before)
        for _ in range(before.count(b"\n")):
            await client.read_reply()
        if over_before:
            connection.check_deadlines(now + TWENTY_MINUTES, 1e9)
        await client.send_bytes(b"BDAT 60000000 LAST\r\nx")
        await wait_until(lambda: connection.phase is Phase.CONTENT, "the chunk begins")
        connection.check_deadlines(now + TWENTY_MINUTES, 1e9)
        assert str(await client.read_reply()).startswith("421 4.4.2 Session")
        assert not await client.read_to_eof()
        await client.close()


@pytest.mark.parametrize("command", [b"NOOP\r\n", RCPT, b"BDAT 1\r\nx"], ids=["NOOP", "RCPT", "BDAT"])
async def test_commands_without_a_complete_mail_share_a_time_limit(command: bytes) -> None:
    async with running_server() as server:
        client = await connect(server.host, server.port)
        await client.send_bytes(MAIL + RCPT + command)
        for _ in range(3):
            await client.expect(250)
        await wait_for_command_phase(server.connection)
        server.connection._deadline.command_time += 899.0
        server.connection.check_deadlines(asyncio.get_running_loop().time() + 2.0, 300.0)
        assert str(await client.read_reply()).startswith("421 4.4.2 Session")
        assert not server.mails.mails
        await client.close()


async def test_complete_mail_resets_the_command_time() -> None:
    async with running_server() as server:
        client = await connect(server.host, server.port)
        server.connection._deadline.command_time = 899.0
        await client.send_bytes(MAIL + RCPT + b"BDAT 3 LAST\r\nx\r\n")
        for _ in range(3):
            await client.expect(250)
        assert server.connection._deadline.command_time == 0.0
        await client.close()


async def test_rejected_connections_share_an_event() -> None:
    async with running_server(max_connections_per_ip=1) as server, await RawSmtp.connect(server.host, server.port):
        with capture_logs() as logs:
            for _ in range(5):
                async with await RawSmtp.connect(server.host, server.port) as client:
                    assert client.greeting.code == 421
            server.server._log_network_refusals()
        assert [line["count"] for line in refusal_events(logs)] == [1, 4]


async def test_connections_of_another_protocol_share_an_event() -> None:
    meter = CountingMeter()
    async with running_server(meter=meter) as server:
        with capture_logs() as logs:
            for _ in range(3):
                async with await RawSmtp.connect(server.host, server.port) as client:
                    await client.command("GET / HTTP/1.1", 421)
            server.server._log_network_refusals()
        assert [(line["network"], line["count"]) for line in refusal_events(logs)] == [
            ("127.0.0.1", 1),
            ("127.0.0.1", 2),
        ]
        assert meter.reasons == {"not_smtp": 3}

"""Failures of the server are temporary for the sender, and replies reveal nothing about them."""

import asyncio

import pytest
from structlog.testing import capture_logs

from router.errors import StorageFull, Unavailable
from smtp import commands
from tests.support.smtp import RawSmtp, send_mail
from tests.support.smtp_doubles import running_server
from tests.support.waiting import wait_until

SECRET = "password=hunter2"


class Unexpected(Exception):  # noqa: N818 - test_accept_fails checks that replies omit this name
    pass


FAILURES = [
    (Unavailable(SECRET), 451, "4.3.0"),
    (StorageFull(SECRET), 452, "4.3.1"),
    (Unexpected(SECRET), 451, "4.3.0"),
]


@pytest.mark.parametrize(("failure", "code", "enhanced"), FAILURES)
async def test_accept_fails(failure: Exception, code: int, enhanced: str) -> None:
    async with running_server() as server:
        server.mails.failure = failure
        reply = await send_mail(server.host, server.port, "a@client.test", ["support@example.com"], b"x\r\n")
        assert (reply.code, reply.enhanced) == (code, enhanced)
        assert SECRET not in str(reply)
        assert type(failure).__name__ not in str(reply)


@pytest.mark.parametrize(("failure", "code", "enhanced"), FAILURES)
async def test_routing_failure_affects_one_recipient_only(failure: Exception, code: int, enhanced: str) -> None:
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        server.recipients.failure = failure
        reply = await client.command("RCPT TO:<support@example.com>", code)
        assert reply.enhanced == enhanced
        assert SECRET not in str(reply)
        server.recipients.failure = None
        await client.command("RCPT TO:<sales@example.com>", 250)
        await client.data(b"x\r\n")
        assert [target.recipient for target in server.mails.mails[0][0].targets] == ["sales@example.com"]


async def test_faults_of_one_address_have_few_log_events() -> None:
    async with (
        running_server(bounds={"max_log_lines": 3}) as server,
        await RawSmtp.connect(server.host, server.port) as client,
    ):
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        server.recipients.failure = Unavailable(SECRET)
        with capture_logs() as logs:
            for _ in range(20):
                await client.command("RCPT TO:<support@example.com>", 451)
        levels = [line["log_level"] for line in logs if line["event"] == "smtp.temporary_failure"]
        assert levels == ["warning"] * 3 + ["debug"] * 17


async def test_failed_mail_does_not_affect_the_next() -> None:
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO client.test", 250)
        for recipient, failure in (("support", Unexpected()), ("sales", None)):
            server.mails.failure = failure
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command(f"RCPT TO:<{recipient}@example.com>", 250)
            assert (await client.data(b"x\r\n")).code == (451 if failure else 250)
        assert [target.recipient for target in server.mails.mails[0][0].targets] == ["sales@example.com"]


async def test_bug_in_the_server_is_a_temporary_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_line: bytes) -> tuple[str, str]:
        raise Unexpected(SECRET)

    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        monkeypatch.setattr(commands, "split_line", broken)
        reply = await client.command("NOOP")
        assert str(reply).startswith("451 4.3.0")
        assert SECRET not in str(reply)
        assert not await client.read_to_eof()


@pytest.mark.parametrize("ending", ["reset", "close", "half-close"])
async def test_disconnect_after_the_final_dot_does_not_cancel_the_commit(ending: str) -> None:
    async with running_server() as server:
        server.mails.gate = asyncio.Event()
        client = await RawSmtp.connect(server.host, server.port)
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        await client.command("DATA", 354)
        await client.send_bytes(b"x\r\n.\r\n")
        await asyncio.wait_for(server.mails.accept_started.wait(), 5)
        if ending == "reset":
            await client.abort()
        elif ending == "close":
            await client.close()
        else:
            client.half_close()
        server.mails.gate.set()
        await asyncio.wait_for(server.mails.accept_finished.wait(), 5)
        if ending == "half-close":
            assert (await client.read_reply()).text == "2.0.0 Ok: queued as msg_1"
            assert not await client.read_to_eof()
            await client.close()
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        assert len(server.mails.mails) == 1


async def test_pipelined_commands_of_a_lost_client_are_not_run() -> None:
    """The client cannot see the replies, and can resend."""
    mail = b"MAIL FROM:<a@client.test>\r\nRCPT TO:<support@example.com>\r\nBDAT 3 LAST\r\none"
    async with running_server() as server:
        server.mails.gate = asyncio.Event()
        client = await RawSmtp.connect(server.host, server.port)
        await client.command("EHLO client.test", 250)
        await client.send_bytes(mail + mail)
        await asyncio.wait_for(server.mails.accept_started.wait(), 5)
        connection = server.connection
        await client.abort()
        await wait_until(lambda: connection._io.is_lost, "the server sees the reset")
        server.mails.gate.set()
        await wait_until(lambda: server.server.connection_count == 0, "the session ends")
        assert len(server.mails.mails) == 1

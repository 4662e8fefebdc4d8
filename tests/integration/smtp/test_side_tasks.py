"""Committed mail gets 250 even if a count, a wake-up or a log event fails after the commit."""

from collections.abc import Iterator, Sequence

import pytest

from router.meter import NULL_METER, Meter
from smtp.reception import Reception
from tests.support.failing import FailingMeter, failing_log
from tests.support.smtp import RawSmtp
from tests.support.smtp_doubles import running_server


@pytest.fixture(params=["meter", "log", "both", "even the line about it"])
def failing(request: pytest.FixtureRequest) -> Iterator[Meter]:
    events = {"meter": (), "even the line about it": ("smtp.accepted", "side_task.failed")}
    with failing_log(*events.get(request.param, ("smtp.accepted",))):
        yield NULL_METER if request.param == "log" else FailingMeter()


async def test_failing_side_task_does_not_change_the_250(failing: Meter) -> None:
    async with running_server(meter=failing) as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO client.test", 250)
        for number in range(1, 3):
            await client.command("MAIL FROM:<a@client.test>", 250)
            await client.command("RCPT TO:<support@example.com>", 250)
            await client.command("RCPT TO:<nobody@example.com>", 550)  # rejections are counted and logged too
            reply = await client.data(b"x\r\n")
            assert (reply.code, reply.text) == (250, f"2.0.0 Ok: queued as msg_{number}")
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        await client.send_bytes(b"BDAT 3 LAST\r\none")
        assert (await client.read_reply()).text == "2.0.0 Ok: queued as msg_3"
        assert len(server.mails.mails) == 3


async def test_connection_whose_log_event_fails_is_uncounted() -> None:
    async with running_server(max_connections_per_ip=1) as server:
        with failing_log("smtp.client_connected"):
            async with await RawSmtp.connect(server.host, server.port) as client:
                assert client.greeting.code == 451
        async with await RawSmtp.connect(server.host, server.port) as client:
            assert client.greeting.code == 220


async def test_failing_memory_release_does_not_change_the_reply(monkeypatch: pytest.MonkeyPatch) -> None:
    """Releasing memory resumes other connections, whose transports may be in any state."""
    async with running_server() as server, await RawSmtp.connect(server.host, server.port) as client:
        await client.command("EHLO client.test", 250)
        await client.command("MAIL FROM:<a@client.test>", 250)
        await client.command("RCPT TO:<support@example.com>", 250)
        release = server.memory.release

        def fails_once(mail: Reception) -> Sequence[Reception]:
            monkeypatch.setattr(server.memory, "release", release)
            release(mail)
            raise RuntimeError("a transport of another connection")

        monkeypatch.setattr(server.memory, "release", fails_once)
        assert (await client.data(b"x\r\n")).code == 250
        assert len(server.mails.mails) == 1
        assert server.memory.is_unused

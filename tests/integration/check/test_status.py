"""The status: ten lines, the numbers in them, and a limited duration."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from emailrouter import status
from emailrouter.check import ports
from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, ok
from tests.support import seeds
from tests.support.installation.checked import CheckedInstallation, assert_line, line_texts
from tests.support.installation.replies import Outcome, add_reply, allow_sending
from tests.support.spam import hold_as_spam


@asynccontextmanager
async def respond_with(data: bytes | None) -> AsyncIterator[str]:
    """Yields the address of a server. None: it accepts connections and sends nothing."""
    ended = asyncio.Event()

    async def handle_client(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if data is None:
            await ended.wait()
        else:
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(handle_client, "127.0.0.1", 0)
    async with server:
        yield "127.0.0.1:{}".format(*server.sockets[0].getsockname()[1:])
        ended.set()


@pytest.fixture(autouse=True)
def generous_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """The tests run on busy hosts."""
    monkeypatch.setattr(status, "LIMIT_SECONDS", 30.0)


async def test_status_of_a_healthy_installation(setup: CheckedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    async def reachable_port(_: CheckContext) -> list[CheckResult]:  # tests cannot listen on port 25
        return [ok("smtp port", "192.0.2.1:25 responds")]

    monkeypatch.setattr(ports, "smtp_port", reachable_port)
    async with respond_with(b"HTTP/1.1 200 OK\r\n\r\n") as api:
        setup.settings.update({"api.listen": api, "dns.nameservers": [setup.dns.address]})
        found = await status.read_status(setup.config)
    assert found.is_ok, line_texts([*found.lines], "fail") + line_texts([*found.lines], "warn")
    assert tuple(line.check for line in found.lines) == status.LINES
    assert len(found.lines) == 10
    assert set(found.numbers.values()) == {0, None}


async def test_lines_that_need_attention(setup: CheckedInstallation) -> None:
    installation = setup.installation
    await installation.add_alias("support")
    for _ in range(2):
        await installation.accept_ticket()
    await installation.execute("UPDATE deliveries SET state = 'dead' WHERE id = (SELECT min(id) FROM deliveries)")
    await hold_as_spam(installation, await installation.accept_ticket())
    await installation.execute("UPDATE integrations SET status = 'failing'")
    await seeds.insert_domain(installation.database, installation.workspace_id, "late.example", "pending_verification")
    setup.settings["dns.nameservers"] = [setup.dns.address]
    found = await status.read_status(setup.config)
    lines = [*found.lines]
    assert not found.is_ok
    assert_line(lines, "warn", "running: nothing listens on 127.0.0.1", "emailrouter serve")
    assert_line(lines, "warn", "reachable: not reachable from outside yet: mail is accepted on loopback only", "listen")
    assert_line(lines, "ok", "mail: 3 messages accepted in the last 24 h", "")
    assert_line(lines, "warn", "1 failed delivery", "delivery list --state dead")
    assert_line(lines, "warn", "1 failing integration: general", "integration test")
    assert_line(lines, "warn", "1 domain without correct DNS records: late.example", "domain verify")
    assert_line(lines, "ok", "tickets: 2 unassigned tickets, 1 held as spam", "")
    assert found.numbers["waitingDeliveries"] == 1
    assert found.numbers["failedDeliveries"] == 1
    assert found.numbers["spamHeld"] == 1


async def test_replies_that_need_attention(setup: CheckedInstallation) -> None:
    installation = setup.installation
    await installation.add_alias("support")
    await allow_sending(installation)
    ticket_id = await installation.accept_ticket()
    agent = await installation.add_actor()
    await add_reply(installation, agent, ticket_id, outcomes={"ada@customer.test": Outcome("bounced", 550)})
    found = await status.read_status(setup.config)
    assert_line([*found.lines], "warn", "0 failed deliveries, 1 reply failed or bounced", "reply list --state failed")
    assert found.numbers["failedReplies"] == 1
    await installation.execute(
        "INSERT INTO smarthosts (id, url, status) SELECT id, 'smtp://smarthost.test:587', 'failing' FROM domains"
    )
    found = await status.read_status(setup.config)
    assert_line([*found.lines], "warn", "a smarthost is failing, which holds replies", "emailrouter check")
    assert found.numbers["failingSmarthosts"] == 1


async def test_duration_is_limited(setup: CheckedInstallation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status, "LIMIT_SECONDS", 0.3)
    async with respond_with(None) as silent:
        setup.settings.update({"smtp.listen": [silent], "api.listen": silent})
        async with asyncio.timeout(60):  # the silent server never ends a connection
            found = await status.read_status(setup.config)
    assert_line([*found.lines], "warn", "running: unknown: no answer within 0.3 s", "emailrouter check")
    assert_line([*found.lines], "ok", "disk: ", "")

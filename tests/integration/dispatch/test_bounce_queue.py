"""The queue of bounces: what happens when reading fails or is interrupted, and its way from the SMTP server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from structlog.testing import capture_logs

from router.clock import SECOND
from router.contents.pool import UnparsableMessage
from router.dispatch import bounce_runner
from router.dispatch.bounce_queue import LEASE, BounceQueue
from router.reply_tokens import bounce_address
from tests.integration.dispatch.sent_reply import ANN, SentReply, open_sent_reply
from tests.support.bounces import FORMS
from tests.support.installation import split_address
from tests.support.smtp import send_mail
from tests.support.stores import Store
from tests.support.waiting import wait_until


@pytest.fixture
async def sent(store: Store) -> AsyncIterator[SentReply]:
    async with open_sent_reply(store) as found:
        yield found


def other_queue(sent: SentReply) -> BounceQueue:
    core = sent.installation.core
    return BounceQueue(core.database, core.writers, core.clock, max_age=SECOND)


async def accept_bounce(sent: SentReply) -> None:
    await sent.installation.accept_message(FORMS["Postfix"].build(ANN), await sent.target(), reverse_path="")


async def test_a_bounce_of_an_interrupted_process_is_read_again(sent: SentReply) -> None:
    await accept_bounce(sent)
    assert len(await other_queue(sent).claim(5)) == 1
    assert await sent.installation.core.bounce_runner.read_due() == 0
    sent.installation.clock.advance(LEASE / SECOND + 1)
    await sent.read()
    assert (await sent.states())[ANN][:2] == ("bounced", 550)


async def test_claims_are_given_back_and_released(sent: SentReply) -> None:
    await accept_bounce(sent)
    queue = other_queue(sent)
    (claimed,) = await queue.claim(5)
    await queue.give_back([claimed.message.id])
    (again,) = await queue.claim(5)
    assert again.claims == 1
    await sent.installation.core.bounce_runner._queue.release_dead_owners()  # of this process, as if it had restarted
    await sent.read()
    assert (await sent.states())[ANN][0] == "bounced"


async def test_a_bounce_that_cannot_be_read_is_tried_again_and_then_has_no_code(
    sent: SentReply, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: bytes) -> None:
        raise UnparsableMessage("parsing timed out")

    monkeypatch.setattr(sent.installation.core.parser, "read_bounce", fail)
    runner = sent.installation.core.bounce_runner
    await accept_bounce(sent)
    for _ in range(bounce_runner.MAX_CLAIMS):
        assert await runner.read_due() == 1
        assert await runner.read_due() == 0
        assert (await sent.states())[ANN][0] == "sent"
        sent.installation.clock.advance(LEASE / SECOND + 1)
    await sent.read()
    assert (await sent.states())[ANN] == ("bounced", None, "no code")


async def test_from_the_smtp_server_to_the_runner(sent: SentReply) -> None:
    installation = sent.installation
    await installation.add_alias("*")
    token = bounce_address(await sent.token(), "example.com").upper()
    async with installation.run_smtp():
        (address,) = installation.core.listening_smtp()
        server = split_address(address)
        reply = await send_mail(*server, "", [token], FORMS["Postfix"].build(ANN))
        guessed = await send_mail(*server, "", [f"b-{'a' * 26}@example.com"], FORMS["Postfix"].build(ANN))
    assert reply.code == 250
    assert (guessed.code, "5.1.1" in guessed.text) == (550, True)
    assert installation.recording_wake.bounces == 1
    runner = installation.core.bounce_runner
    with capture_logs() as logs:
        running = asyncio.create_task(runner.run())
        await wait_until(lambda: "bounce.read" in [log["event"] for log in logs], "the bounce is read")
        runner.stop()
        await running
    assert await sent.status() == "open"

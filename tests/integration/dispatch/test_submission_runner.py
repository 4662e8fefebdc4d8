"""The tasks that submit mail: they start in time, renew leases, and end without cutting a final dot off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest

from config.smarthost_url import parse
from router.clock import SECOND
from router.dispatch import submission_runner, submission_sender
from router.replies.sealed_smarthost import seal
from tests.support.replies import ManualSubmissions, open_submissions, queue_reply
from tests.support.smarthost import HANG, LATE, ScriptedSmarthost
from tests.support.stores import Store
from tests.support.waiting import poll_until, wait_until


@pytest.fixture
async def submissions(store: Store) -> AsyncIterator[ManualSubmissions]:
    async with open_submissions(store, {"outgoing.concurrency": 2}) as opened:
        yield opened


@asynccontextmanager
async def running(submissions: ManualSubmissions) -> AsyncIterator[None]:
    runner = submissions.installation.core.submissions
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        runner.stop()
        async with asyncio.timeout(10):
            await task


async def test_a_reply_is_sent_when_it_can_no_longer_be_undone(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    reply = await queue_reply(installation, await installation.accept_ticket(), delay=10 * SECOND)
    async with running(submissions):
        installation.core.submissions.wake()
        installation.clock.advance(10)
        await wait_until(lambda: bool(submissions.smarthost.accepted), "the mail")
    assert (await submissions.reply(reply.id))["state"] == "sent"


async def test_at_most_the_configured_number_of_connections_is_open(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    smarthost.answers["final"] = LATE
    ticket_id = await installation.accept_ticket()
    for _ in range(4):
        await queue_reply(installation, ticket_id)
    async with running(submissions):
        await wait_until(lambda: len(smarthost.transactions) == 2, "two transactions")
        installation.core.submissions.wake()
        await installation.database.fetch_one("metrics_queue")  # a turn of the loop in which it could connect
        assert smarthost.connection_count == 2
        smarthost.release()
        await wait_until(lambda: len(smarthost.accepted) == 4, "all mails")


async def test_slow_smarthosts_of_domains_do_not_stop_that_of_the_installation(
    submissions: ManualSubmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_runner, "MAX_CONCURRENT", 1)
    installation = submissions.installation
    other = installation.second_process()
    await other.seed("example.org")
    async with ScriptedSmarthost(answers={"greeting": HANG}) as slow:
        await other.execute(
            "UPDATE domains SET encrypted_smarthost = :sealed WHERE id = :id",
            sealed=seal(other.core.box, parse(slow.url), None),
            id=other.domain_id,
        )
        await other.execute("INSERT INTO smarthosts (id, url) VALUES (:id, :url)", id=other.domain_id, url=slow.url)
        for _ in range(2):
            await queue_reply(other, await other.accept_ticket(), smarthost_id=other.domain_id)
        await installation.execute("UPDATE messages SET size = :size", size=submission_sender.MAX_CONTENT_BYTES)
        async with running(submissions):
            await wait_until(lambda: slow.connection_count == 1, "the connection")
            await queue_reply(installation, await installation.accept_ticket())
            installation.core.submissions.wake()
            await wait_until(lambda: len(submissions.smarthost.accepted) == 1, "the mail")
        assert slow.connection_count == 1
    await other.close()


async def test_a_stop_waits_for_the_answer_to_the_final_dot(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    smarthost.answers["final"] = LATE
    reply = await queue_reply(installation, await installation.accept_ticket())
    async with running(submissions):
        await smarthost.wait_for_final_dot()
        installation.core.submissions.stop()
        assert (await submissions.reply(reply.id))["state"] == "sending"
        smarthost.release()
    assert (await submissions.reply(reply.id))["state"] == "sent"
    assert len(smarthost.transactions) == 1


@pytest.mark.parametrize("step", ["greeting", "rcpt", "data"])
async def test_a_stop_ends_a_transaction_before_the_final_dot(submissions: ManualSubmissions, step: str) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    smarthost.answers[step] = HANG
    reply = await queue_reply(installation, await installation.accept_ticket())
    async with running(submissions):
        await wait_until(lambda: smarthost.connection_count == 1, "the connection")
    recipient = await submissions.recipient(reply.id)
    assert (recipient["delivery_state"], recipient["next_attempt_at"]) == ("pending", installation.clock.now())
    del smarthost.answers[step]
    assert await submissions.submit_due() == 1


async def test_a_stop_during_the_commit_of_the_final_dot_sends_none(
    submissions: ManualSubmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = submissions.installation
    runner = installation.core.submissions
    begin = runner._outbox.begin_final_dot

    async def stop_meanwhile(submission: object) -> bool:
        held = await begin(submission)  # type: ignore[arg-type]
        runner._stopping = True
        return held

    monkeypatch.setattr(runner._outbox, "begin_final_dot", stop_meanwhile)
    reply = await queue_reply(installation, await installation.accept_ticket())
    async with asyncio.timeout(10):
        await runner.run()
    assert submissions.smarthost.transactions == []
    assert (await submissions.recipient(reply.id))["next_attempt_at"] == installation.clock.now()


async def _has_lease(submissions: ManualSubmissions, reply_id: str, until: int) -> bool:
    return (await submissions.recipient(reply_id))["next_attempt_at"] == until


async def test_the_lease_is_renewed_while_the_smarthost_is_slow(
    submissions: ManualSubmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submission_runner, "RENEWAL_SECONDS", 0.01)
    installation, smarthost = submissions.installation, submissions.smarthost
    smarthost.answers["rcpt"] = LATE
    reply = await queue_reply(installation, await installation.accept_ticket())
    async with running(submissions):
        await wait_until(lambda: smarthost.connection_count == 1, "the connection")
        for _ in range(3):
            until = installation.clock.advance(50) + 60 * SECOND
            await poll_until(partial(_has_lease, submissions, reply.id, until), "the renewed lease")
        smarthost.release()
        await wait_until(lambda: bool(smarthost.accepted), "the mail")
    assert (await submissions.recipient(reply.id))["attempts"] == 1

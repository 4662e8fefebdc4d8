"""Several processes and interrupted submissions: only the newest attempt of a mail counts."""

import os
from collections.abc import AsyncIterator

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.clock import SECOND
from router.dispatch.submission_sender import SentMail
from router.dispatch.submission_work import FINAL_LEASE, NotSubmitted
from router.lease_owner import new_lease_owner
from router.reply_tokens import bounce_address
from tests.support.bounces import FORMS
from tests.support.replies import CUSTOMER, ManualSubmissions, open_submissions, queue_reply
from tests.support.smarthost import CLOSE
from tests.support.stores import Store

LEASE = 60 * SECOND


@pytest.fixture
async def submissions(store: Store) -> AsyncIterator[ManualSubmissions]:
    async with open_submissions(store) as opened:
        yield opened


async def test_a_lease_is_renewed_until_the_final_dot_and_then_lasts_for_the_answer(
    submissions: ManualSubmissions,
) -> None:
    installation = submissions.installation
    reply = await queue_reply(installation, await installation.accept_ticket())
    (claimed,) = await submissions.claim()
    for _ in range(4):
        installation.clock.advance(20)
        assert await submissions.outbox.renew(claimed)
        assert await submissions.claim() == []
    assert await submissions.outbox.begin_final_dot(claimed)
    installation.clock.advance(600)  # the answer may take 10 minutes
    assert await submissions.claim() == []
    installation.clock.advance((FINAL_LEASE - 600 * SECOND) / SECOND)
    (again,) = await submissions.claim()
    assert again.n == 2
    attempts = await installation.execute("SELECT * FROM attempts ORDER BY n")
    assert [attempt["outcome"] for attempt in attempts] == ["lost", "open"]
    assert attempts[0]["final_dot_at"] is not None
    assert (await submissions.reply(reply.id))["state"] == "sending"


async def test_a_process_that_lost_its_lease_sends_no_final_dot(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    await queue_reply(installation, await installation.accept_ticket())
    (first,) = await submissions.claim()
    installation.clock.advance(60)
    (second,) = await submissions.claim()
    assert not await submissions.outbox.begin_final_dot(first)
    assert not await submissions.outbox.renew(first)
    assert await submissions.outbox.begin_final_dot(second)


async def test_a_late_acceptance_ends_the_mail_and_a_late_failure_changes_nothing(
    submissions: ManualSubmissions,
) -> None:
    installation = submissions.installation
    replies = [await queue_reply(installation, await installation.accept_ticket()) for _ in range(2)]
    first = await submissions.claim()
    sent = [await submissions.send(each) for each in first]
    installation.clock.advance((FINAL_LEASE + SECOND) / SECOND)
    second = await submissions.claim()
    assert len(second) == 2
    assert (await submissions.record(first[0], sent[0])).is_late
    assert (await submissions.record(first[1], SentMail(NotSubmitted("too late")))).is_late
    states = [(await submissions.recipient(reply.id))["state"] for reply in replies]
    assert states == ["sent", "sending"]
    assert not await submissions.outbox.begin_final_dot(second[0])  # it was sent
    assert await submissions.outbox.begin_final_dot(second[1])


async def test_the_mail_of_a_dead_process_is_due_at_the_start(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    await queue_reply(installation, await installation.accept_ticket())
    (claimed,) = await submissions.claim()
    await submissions.outbox.begin_final_dot(claimed)
    alive = new_lease_owner().replace(f" {os.getpid()} ", f" {os.getppid()} ")  # another process of this host
    await installation.execute("UPDATE attempts SET owner = :owner", owner=alive)
    await submissions.outbox.start(submissions.smarthost.url)
    assert await submissions.claim() == []
    await installation.execute("UPDATE attempts SET owner = :owner", owner=new_lease_owner())
    await submissions.outbox.start(submissions.smarthost.url)
    (again,) = await submissions.claim()
    assert again.n == 2


async def test_a_stopped_submission_is_due_at_once(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    reply = await queue_reply(installation, await installation.accept_ticket())
    (claimed,) = await submissions.claim()
    await submissions.record(claimed, SentMail(NotSubmitted("not sent: the program was stopped", is_counted=False)))
    assert (await submissions.recipient(reply.id))["next_attempt_at"] == installation.clock.now()
    assert await submissions.submit_due() == 1


async def test_a_mail_that_is_claimed_too_often_fails(store: Store) -> None:
    async with open_submissions(store, {"delivery.max_claims": 2}) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        reply = await queue_reply(installation, ticket_id)
        for _ in range(2):
            assert len(await submissions.claim()) == 1
            installation.clock.advance(60)
        assert await submissions.claim() == []
        recipient = await submissions.recipient(reply.id)
        assert (recipient["state"], recipient["delivery_state"]) == ("failed", "dead")
        assert (await submissions.ticket(ticket_id))["status"] == "open"
        assert await installation.count_rows("deliveries", "event = 'reply_failed'") == 1


async def test_an_erased_ticket_ends_a_submission(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket()
    await queue_reply(installation, ticket_id)
    (claimed,) = await submissions.claim()
    await installation.execute("DELETE FROM tickets WHERE id = :id", id=ticket_id)
    assert not await submissions.outbox.begin_final_dot(claimed)
    assert (await submissions.record(claimed, SentMail(NotSubmitted("gone")))).is_late


async def test_a_bounce_ends_a_submission_whose_answer_was_lost(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    reply = await queue_reply(installation, await installation.accept_ticket())
    submissions.smarthost.answers["final"] = CLOSE
    (claimed,) = await submissions.claim()
    await submissions.record(claimed, await submissions.send(claimed))
    recipient = await submissions.recipient(reply.id)
    assert (recipient["state"], recipient["delivery_state"]) == ("retrying", "pending")
    bounced = await installation.resolve(bounce_address(str(recipient["token"]), installation.domain_name))
    await installation.accept_message(FORMS["Postfix"].build(CUSTOMER), bounced, reverse_path="")
    assert await installation.core.bounce_runner.read_due() == 1
    recipient = await submissions.recipient(reply.id)
    assert (recipient["state"], recipient["delivery_state"]) == ("bounced", "delivered")
    installation.clock.advance(3600)
    assert await submissions.submit_due() == 0
    assert (await audit_losses(installation.database)).list_faults() == []


async def test_a_renewal_that_comes_late_does_not_shorten_the_time_for_the_answer(
    submissions: ManualSubmissions,
) -> None:
    """The renewal of a mail can be written after its final dot was committed, or in the same transaction."""
    installation = submissions.installation
    await queue_reply(installation, await installation.accept_ticket())
    (claimed,) = await submissions.claim()
    assert await submissions.outbox.begin_final_dot(claimed)
    assert await submissions.outbox.renew(claimed)
    installation.clock.advance(600)
    assert await submissions.claim() == []

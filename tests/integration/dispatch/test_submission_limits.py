"""Which mail is sent when, and through which smarthost."""

import pytest

from config.smarthost_url import parse
from router.clock import SECOND
from router.replies.sealed_smarthost import seal
from router.replies.smarthosts import remove_smarthost, save_smarthost
from router.store.database import run_statements
from tests.support.replies import ManualSubmissions, open_submissions, queue_reply
from tests.support.stores import Store


async def test_mail_over_the_limit_of_its_workspace_waits(store: Store) -> None:
    async with open_submissions(store, {"outgoing.per_hour": 2}) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        replies = []
        for _ in range(4):
            replies.append(await queue_reply(installation, ticket_id))
            installation.clock.advance(1)
        assert await submissions.submit_due() == 2
        sent_at = installation.clock.now()
        installation.clock.advance(60)
        assert await submissions.submit_due() == 0
        waiting = await submissions.recipient(replies[2].id)
        assert (waiting["state"], waiting["attempts"]) == ("queued", 0)
        assert "at most 2 mails an hour" in str(waiting["last_error"])
        assert (await submissions.reply(replies[2].id))["last_error"] == waiting["last_error"]
        assert waiting["next_attempt_at"] == sent_at + 3600 * SECOND
        installation.clock.advance(3540)
        assert await submissions.submit_due() == 2
        assert {(await submissions.reply(each.id))["state"] for each in replies} == {"sent"}


async def test_another_workspace_is_not_limited(store: Store) -> None:
    async with open_submissions(store, {"outgoing.per_hour": 1}) as submissions:
        installation = submissions.installation
        for _ in range(3):
            await queue_reply(installation, await installation.accept_ticket())
        other = installation.second_process()
        await other.seed("example.org")
        reply = await queue_reply(other, await other.accept_ticket())
        assert await submissions.submit_due() == 2
        assert (await submissions.reply(reply.id))["state"] == "sent"
        await other.close()


async def set_domain_smarthost(submissions: ManualSubmissions, url: str) -> None:
    installation = submissions.installation
    await installation.execute(
        "UPDATE domains SET encrypted_smarthost = :sealed", sealed=seal(installation.core.box, parse(url), None)
    )


async def test_mail_goes_to_the_smarthost_that_its_domain_has_now(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        reply = await queue_reply(installation, await installation.accept_ticket())
        (claimed,) = await submissions.claim()
        await set_domain_smarthost(submissions, "smtps://smarthost.test")
        sent = await submissions.send(claimed)
        await submissions.record(claimed, sent)
        (delivery,) = await installation.execute("SELECT * FROM deliveries WHERE target = 'smarthost'")
        assert delivery["integration_id"] == installation.domain_id
        assert (await submissions.recipient(reply.id))["state"] == "retrying"
        assert submissions.smarthost.connection_count == 0
        assert {each.id for each in await submissions.outbox.find_ready()} == {installation.domain_id}


async def test_a_new_and_a_removed_smarthost_move_the_mail_of_the_domain(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        reply = await queue_reply(installation, await installation.accept_ticket())
        submissions.smarthost.answers["mail"] = "535 5.7.8 Authentication failed"
        await submissions.submit_due()
        assert (await submissions.recipient(reply.id))["parked_at"] is not None
        now, domain_id = installation.clock.advance(60), installation.domain_id
        saved = save_smarthost(domain_id, "smtps://smarthost.test:465", now, is_changed=True, domain="example.com")
        async with installation.database.transaction() as transaction:
            await run_statements(transaction, saved)
        assert (await submissions.recipient(reply.id))["next_attempt_at"] == now
        assert {each.id for each in await submissions.outbox.find_ready()} == {domain_id}
        async with installation.database.transaction() as transaction:
            await run_statements(transaction, remove_smarthost(domain_id, now))
        (delivery,) = await installation.execute("SELECT * FROM deliveries WHERE target = 'smarthost'")
        assert delivery["integration_id"] == "installation"
        assert await installation.count_rows("smarthosts") == 1


async def test_another_url_frees_the_mail_of_a_failing_smarthost(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        reply = await queue_reply(installation, await installation.accept_ticket())
        submissions.smarthost.answers["mail"] = "535 5.7.8 Authentication failed"
        await submissions.submit_due()
        del submissions.smarthost.answers["mail"]
        await submissions.outbox.start(submissions.smarthost.url_of("localhost"))
        (row,) = await installation.execute("SELECT * FROM smarthosts")
        assert row["status"] == "active"
        assert await submissions.submit_due() == 1
        assert (await submissions.reply(reply.id))["state"] == "sent"


async def test_mail_of_a_removed_domain_is_retried_with_the_reason(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        reply = await queue_reply(installation, await installation.accept_ticket())
        await installation.execute("UPDATE domains SET status = 'pending_verification'")
        assert await submissions.submit_due() == 1
        recipient = await submissions.recipient(reply.id)
        assert (recipient["state"], recipient["text"]) == ("retrying", "not sent: example.com is not verified")
        for _ in range(24 * 60):
            installation.clock.advance(60)
            await submissions.submit_due()
        assert 80 < int(str((await submissions.recipient(reply.id))["attempts"])) < 110


@pytest.mark.parametrize("setting", ["alias", "token"])
async def test_the_alias_is_the_envelope_sender_if_bounces_cannot_come_to_the_token(store: Store, setting: str) -> None:
    async with open_submissions(store, {"outgoing.bounce_address": setting}) as submissions:
        installation = submissions.installation
        if setting == "token":
            await installation.execute("UPDATE domains SET mx_managed = 'upstream'")
        await queue_reply(installation, await installation.accept_ticket())
        await submissions.submit_due()
        assert [sent.sender for sent in submissions.smarthost.accepted] == ["support@example.com"]

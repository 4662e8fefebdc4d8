"""Deliveries of replies beside those of posts: in lists, at a retry, in the loss audit, in retention, and as spam."""

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.clock import SECOND, to_micros
from router.dispatch.outbox import end_removed_deliveries
from router.dispatch.retention import Retention, RetentionPeriods
from router.errors import Refused
from router.filters import DeliveryFilter
from router.store import batches
from tests.support.installation.replies import allow_sending
from tests.support.replies import ManualSubmissions, open_submissions, queue_reply
from tests.support.spam import hold_as_spam
from tests.support.stores import Store

DAY = 86_400 * SECOND


async def find_faults(submissions: ManualSubmissions) -> list[str]:
    async with submissions.installation.database.transaction() as transaction:
        return (await audit_losses(transaction)).list_faults()


async def test_lists_show_replies_without_an_integration(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        reply = await queue_reply(installation, ticket_id, delay=10 * SECOND)
        deliveries = installation.services.deliveries
        for state in (None, "pending"):
            page = await deliveries.list(installation.actor, DeliveryFilter(state=state))
            assert [(each.target, each.posted_to, each.reply_id) for each in page.items] == [
                ("smarthost", None, reply.id),
                ("integration", installation.integration_id, None),
            ]
            for target in ("smarthost", "integration"):
                page = await deliveries.list(installation.actor, DeliveryFilter(state=state, target=target))
                assert [each.target for each in page.items] == [target]
        of_integration = DeliveryFilter(state="pending", integration_id=installation.integration_id)
        assert len((await deliveries.list(installation.actor, of_integration)).items) == 1
        assert (await deliveries.list(await installation.add_workspace(), DeliveryFilter(state="pending"))).items == ()


async def test_a_failed_reply_is_retried_for_its_recipient(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        reply = await queue_reply(installation, ticket_id)
        submissions.smarthost.answers["rcpt"] = ["550 5.1.1 No such user"]
        await submissions.submit_due()
        delivery_id = str((await submissions.recipient(reply.id))["delivery_id"])
        deliveries = installation.services.deliveries
        retried = await deliveries.replay(installation.actor, delivery_id)
        assert retried.reply_id == reply.id
        assert (await submissions.reply(reply.id))["state"] == "queued"
        assert installation.recording_wake.submissions == 1
        assert await submissions.submit_due() == 1
        assert (await submissions.reply(reply.id))["state"] == "sent"
        assert (await submissions.ticket(ticket_id))["status"] == "waiting"
        with pytest.raises(Refused, match="already been handed over"):
            await deliveries.replay(installation.actor, delivery_id)


async def test_an_address_that_was_replaced_gets_nothing_by_a_replay(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        await allow_sending(installation)
        reply = await queue_reply(installation, await installation.accept_ticket())
        submissions.smarthost.answers["rcpt"] = ["550 5.1.1 No such user"]
        await submissions.submit_due()
        delivery_id = str((await submissions.recipient(reply.id))["delivery_id"])
        await installation.services.replies.retry(installation.actor, reply.id, ["right@customer.test"])
        with pytest.raises(Refused, match="another address"):
            await installation.services.deliveries.replay(installation.actor, delivery_id)
        assert await submissions.submit_due() == 1
        assert [each.recipients for each in submissions.smarthost.accepted] == [["right@customer.test"]]


async def test_a_pending_reply_is_never_held_as_spam(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        reply = await queue_reply(installation, ticket_id)
        await hold_as_spam(installation, ticket_id)
        assert await submissions.submit_due() == 1
        assert (await submissions.reply(reply.id))["state"] == "sent"


async def test_the_deletion_of_integrations_and_the_repair_leave_replies(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        reply = await queue_reply(installation, await installation.accept_ticket())
        assert await end_removed_deliveries(installation.database)
        await submissions.outbox.repair()
        assert (await submissions.recipient(reply.id))["delivery_state"] == "pending"
        await installation.execute("UPDATE deliveries SET integration_id = 'dom_removed' WHERE target = 'smarthost'")
        assert await find_faults(submissions) != []
        await submissions.outbox.repair()
        assert await submissions.submit_due() == 1


async def test_the_loss_audit_balances_with_replies_and_finds_lost_ones(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        queued = await queue_reply(installation, ticket_id, delay=DAY)
        submissions.smarthost.answers["rcpt"] = ["550 5.1.1 No such user"]
        await queue_reply(installation, ticket_id, ["bob@customer.test", "eve@customer.test"])
        await submissions.submit_due()
        assert await find_faults(submissions) == []
        await installation.execute("DELETE FROM deliveries WHERE message_id = :id", id=queued.message_id)
        assert await find_faults(submissions) == [f"replies with a recipient that lacks its delivery: {queued.id}"]


async def test_retention_keeps_what_is_still_to_be_sent(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        ticket_id = await installation.accept_ticket()
        waiting = await queue_reply(installation, ticket_id, delay=3 * DAY)
        sent = await queue_reply(installation, ticket_id)
        await submissions.submit_due()
        await installation.execute(
            "INSERT INTO uploads (id, workspace_id, filename, content_type, size, created_at) "
            "VALUES ('upl_1', :workspace_id, 'a', 'text/plain', 1, :at)",
            workspace_id=installation.workspace_id,
            at=installation.clock.now(),
        )
        periods = RetentionPeriods(DAY, 10 * DAY, 10 * DAY, to_micros(installation.core.config.smtp.duplicate_window))
        installation.clock.advance(days=2)
        retention = Retention(
            installation.database, installation.contents, installation.clock, periods, pause=batches.pause
        )
        await retention.sweep()
        kept = {row["message_id"] for row in await installation.execute("SELECT message_id FROM raw_chunks")}
        assert kept == {waiting.message_id}, sent
        assert await installation.count_rows("uploads") == 0
        installation.clock.advance(days=1)
        assert await submissions.submit_due() == 1

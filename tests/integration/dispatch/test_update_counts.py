"""Updates of messages are counted neither as messages nor for digests, and are erased with tickets and integrations."""

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.admin.routes import integrations as integrations_module
from router.admin.routes.integrations import IntegrationService
from router.dispatch import outbox
from router.dispatch.delivery_batch import CompletedBatch
from router.errors import Unavailable
from router.filters import DeliveryFilter
from router.model import Actor
from tests.integration.dispatch.test_retention import DAY, new_retention
from tests.support import mails
from tests.support.manual_delivery import (
    OPEN,
    ManualDelivery,
    open_posting,
    open_ticket,
    set_status,
    shown_state,
)
from tests.support.stores import Store


async def test_tickets_in_a_digest_have_no_post(store: Store) -> None:
    async with open_posting(store, settings={"delivery.digest_after": 1}) as posting:
        tickets = [await posting.installation.accept_ticket(mails.plain(message_id=f"<{n}@c.test>")) for n in "abc"]
        await posting.deliver()
        assert await posting.rows("posts") == []
        await set_status(posting, tickets[0], "waiting")
        assert await posting.updates() == []
        await posting.installation.accept_message(mails.reply_to("<a@c.test>"))
        await posting.deliver()
        assert shown_state(list(posting.discord.messages.values())[-1]) == OPEN


async def test_updates_are_neither_in_a_digest_nor_counted_for_it(store: Store) -> None:
    async with open_posting(store, settings={"delivery.digest_after": 2}) as posting:
        tickets = []
        for n in range(4):
            tickets.append(await posting.installation.accept_ticket(mails.plain(subject=f"Ticket {n}")))
            await posting.deliver()
        for ticket_id in tickets:
            await set_status(posting, ticket_id, "waiting")
        await posting.installation.accept_message(mails.plain(subject="Another"))
        await posting.deliver()
        assert (posting.requests("POST"), posting.requests("PATCH")) == (5, 4)
        assert {row["via"] for row in await posting.rows("deliveries")} == {"message", "update"}
        assert [shown_state(each)["Status"] for each in posting.discord.messages.values()] == ["Waiting"] * 4 + ["Open"]


async def test_updates_are_not_counted(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    report = await audit_losses(installation.database)
    assert (report.delivered, report.pending, report.duplicated, report.list_faults()) == (1, 0, 0, [])
    queue = await installation.database.fetch_one("metrics_queue")
    assert queue is not None
    assert (queue["waiting"], queue["parked"], queue["oldest_at"]) == (0, 0, None)
    page = await installation.services.deliveries.list(installation.actor)
    assert [delivery.event for delivery in page.items] == ["updated", "opened"]


async def test_updates_do_not_hide_the_deliveries_of_messages(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    await posting.deliver()
    await set_status(posting, ticket_id, "resolved")
    for without_updates, events in ((True, ["opened"]), (False, ["updated", "updated", "opened"])):
        of_ticket = DeliveryFilter(ticket_id=ticket_id, without_updates=without_updates)
        page = await installation.services.deliveries.list(installation.actor, of_ticket)
        assert [delivery.event for delivery in page.items] == events
    view = await installation.tickets.get(installation.actor, ticket_id)
    assert [delivery.event for delivery in view.deliveries] == ["opened"]


async def test_an_erased_ticket_has_neither_post_nor_update(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    batch = await posting.claim_batch()
    await installation.tickets.delete(installation.actor, ticket_id)
    await posting.record(batch, await posting.send(batch))
    assert await posting.deliver() == []
    for table in ("posts", "deliveries", "attempts"):
        assert await posting.rows(table) == []


async def test_a_ticket_erased_while_its_first_message_is_sent_has_no_post(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await installation.tickets.delete(installation.actor, ticket_id)
    await posting.record(batch, outcome)
    assert await posting.rows("posts") == []


async def test_a_removed_integration_has_neither_posts_nor_updates(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "waiting")
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.services.integrations.delete(installation.actor, installation.integration_id)
    assert await posting.rows("posts") == []
    assert await posting.updates() == []
    await set_status(posting, ticket_id, "resolved")
    assert await posting.updates() == []


async def test_a_pending_update_does_not_block_retention(posting: ManualDelivery) -> None:
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "resolved")
    posting.installation.clock.advance(days=400)
    erased = await new_retention(posting.installation, tickets=DAY).sweep()
    assert erased.tickets == 1
    assert await posting.rows("posts") == await posting.updates() == []


async def test_an_integration_removed_during_its_first_request_has_no_post(posting: ManualDelivery) -> None:
    installation = posting.installation
    await installation.accept_ticket()
    batch = await posting.claim_batch()
    outcome = await posting.send(batch)
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.services.integrations.delete(installation.actor, installation.integration_id)
    await posting.outbox.claim_and_record(installation.integration_id, CompletedBatch(batch, outcome, 0.0))
    assert await posting.rows("posts") == []


async def test_a_removed_integration_leaves_no_failed_updates(posting: ManualDelivery) -> None:
    installation = posting.installation
    ticket_id = await open_ticket(posting)
    await set_status(posting, ticket_id, "resolved")
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    await installation.services.integrations.delete(installation.actor, installation.integration_id)
    assert {row["event"] for row in await posting.rows("deliveries")} == {"opened"}


async def test_a_large_integration_is_deleted_in_several_transactions(
    posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, integrations = posting.installation, posting.installation.services.integrations
    for module in (outbox, integrations_module):
        monkeypatch.setattr(module, "PARK_STEP", 2)
    ticket_ids = [await installation.accept_ticket(mails.plain(subject=f"Ticket {n}")) for n in range(3)]
    await posting.deliver()
    for ticket_id in ticket_ids:
        await set_status(posting, ticket_id, "waiting")
    for n in range(3):
        await installation.accept_ticket(mails.plain(subject=f"Pending {n}"))
    await installation.execute("UPDATE aliases SET integration_id = NULL")
    delete_batch = IntegrationService._delete_batch
    counts: list[tuple[int, int, int]] = []

    async def delete_and_count(service: IntegrationService, actor: Actor, integration_id: str) -> bool:
        if len(counts) == 2:
            counts.append((0, 0, 0))
            raise Unavailable("the process was killed")
        is_deleted = await delete_batch(service, actor, integration_id)
        states = [row["state"] for row in await posting.rows("deliveries") if row["event"] == "opened"]
        counts.append((len(await posting.updates()), states.count("pending"), len(await posting.rows("posts"))))
        return is_deleted

    monkeypatch.setattr(IntegrationService, "_delete_batch", delete_and_count)
    with pytest.raises(Unavailable):
        await integrations.delete(installation.actor, installation.integration_id)
    assert counts[:2] == [(1, 3, 3), (0, 1, 3)]
    await integrations.delete(installation.actor, installation.integration_id)
    assert counts[3:] == [(0, 0, 1), (0, 0, 0)]
    assert await posting.rows("integrations") == []

"""An integration with many deliveries is deleted in several short transactions, which can be interrupted."""

import asyncio

import pytest

from router.admin.routes import integrations as integrations_module
from router.channels.contract import SendSuccess
from router.dispatch import outbox as outbox_module
from router.dispatch.outbox import end_removed_deliveries
from router.errors import Unavailable
from tests.support import mails
from tests.support.manual_delivery import ManualDelivery, open_posting
from tests.support.postgres import PostgresServer, open_connection, wait_until_blocked
from tests.support.refusal import refused_code
from tests.support.stores import postgres_store

TICKETS = 5
CONFLICT = ("conflict", None)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (integrations_module, outbox_module):
        monkeypatch.setattr(module, "PARK_STEP", 2)


async def accept_without_aliases(posting: ManualDelivery) -> None:
    """Accepts messages that are not sent yet; then no alias uses the integration."""
    for n in range(TICKETS):
        await posting.installation.accept_ticket(mails.plain(subject=f"Ticket {n}"))
    await posting.installation.execute("UPDATE aliases SET integration_id = NULL")


async def delete_first_batch(posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail() -> None:
        raise Unavailable("the time limit was reached")

    installation = posting.installation
    with monkeypatch.context() as interruption:
        interruption.setattr("router.store.batches.pause", fail)
        with pytest.raises(Unavailable):
            await installation.services.integrations.delete(installation.actor, installation.integration_id)


async def audited(posting: ManualDelivery) -> list[str]:
    entries = (await posting.installation.services.audit.list(posting.installation.actor)).items
    return [entry.action for entry in entries if entry.target == posting.installation.integration_id]


async def test_an_interrupted_deletion_is_visible_and_nothing_more_is_sent(
    posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation, integrations = posting.installation, posting.installation.services.integrations
    actor, integration_id = installation.actor, installation.integration_id
    await accept_without_aliases(posting)
    await delete_first_batch(posting, monkeypatch)
    shown = await integrations.get(actor, integration_id)
    assert (shown.status, shown.last_error) == ("failing", integrations_module._DELETION)
    assert (await audited(posting))[0] == "integration.delete"
    assert sorted(str(row["state"]) for row in await posting.rows("deliveries")) == ["dead"] * 2 + ["pending"] * 3
    installation.clock.advance(3600)
    assert not await posting.deliver()

    url = {"webhookUrl": "http://127.0.0.1:9/services/T0/B0/other"}
    assert await refused_code(integrations.change(actor, integration_id, settings=url)) == CONFLICT
    assert await refused_code(integrations.test(actor, integration_id)) == CONFLICT
    alias_id = next(iter(installation.aliases.values()))
    unusable = ("invalid_integration", "integrationId")
    assert (
        await refused_code(installation.services.aliases.change(actor, alias_id, integration_id=integration_id))
        == unusable
    )
    assert await refused_code(
        installation.services.workspaces.change(actor, default_integration_id=integration_id)
    ) == ("invalid_integration", "defaultIntegrationId")

    entries = len(await audited(posting))
    await integrations.delete(actor, integration_id)
    assert {row["state"] for row in await posting.rows("deliveries")} == {"dead"}
    assert len(await audited(posting)) == entries
    assert await refused_code(integrations.get(actor, integration_id)) == ("not_found", None)


async def test_a_message_that_is_being_sent_does_not_reactivate_the_integration(
    posting: ManualDelivery, monkeypatch: pytest.MonkeyPatch
) -> None:
    await accept_without_aliases(posting)
    installation = posting.installation
    await installation.execute("UPDATE integrations SET status = 'failing', last_error = 'HTTP 500', probe_at = 0")
    batch = await posting.claim_batch()
    await delete_first_batch(posting, monkeypatch)
    await posting.record(batch, SendSuccess(200))
    shown = await installation.services.integrations.get(installation.actor, installation.integration_id)
    assert (shown.status, shown.last_error) == ("failing", integrations_module._DELETION)


async def test_a_delivery_that_another_transaction_ends_does_not_end_the_batches(
    postgres_server: PostgresServer,
) -> None:
    async with postgres_store(postgres_server) as store, open_posting(store) as posting:
        await accept_without_aliases(posting)
        await posting.installation.execute("DELETE FROM integrations")
        async with open_connection(store.url) as other, other.transaction():
            await other.execute("UPDATE deliveries SET state = 'dead' WHERE id = (SELECT min(id) FROM deliveries)")
            ending = asyncio.create_task(end_removed_deliveries(posting.installation.database))
            await wait_until_blocked(other.fetchval)
        assert not await ending

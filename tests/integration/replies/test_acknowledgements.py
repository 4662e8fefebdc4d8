"""Acknowledgements: which new tickets get one, how it looks, and its limits."""

import asyncio
from dataclasses import replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from emailrouter.assembly import deliver
from router.admin.routes.reply_settings import ReplySettingsChange
from router.dispatch import acknowledgements
from tests.integration.dispatch.test_locks import other_transaction
from tests.support import mails
from tests.support.installation import Installation, make_config
from tests.support.postgres import PostgresServer, wait_until_blocked
from tests.support.sender_checks import done, store_checks
from tests.support.spam import hold_as_spam
from tests.support.stores import Store, postgres_store

ANN = "Ann <ann@customer.test>"
DAY = 86_400.0


class AcknowledgingInstallation(Installation):
    """An installation whose alias `support` acknowledges mail, and `billing` does not."""

    async def set_up(self, *, mode: str = "text", body: str = "Hi {name}, #{ticket}. {agent|We}") -> None:
        await self.seed()
        await self.execute("UPDATE domains SET sending = 'active'")
        template = await self.services.templates.create(
            self.actor, name="Received", subject="[#{ticket}] {subject}", body=body, mode=mode
        )
        change = ReplySettingsChange(acknowledge_template_id=template.id, signature="Not in acknowledgements")
        await self.services.aliases.change(self.actor, self.aliases["support"], reply_settings=change)

    async def receive(self, content: bytes | None = None, name: str = "support", **envelope: Any) -> str:
        """Accepts a message at the resolved address; returns its id."""
        target = await self.resolve(f"{name}@{self.domain_name}")
        return await self.accept_message(content or mails.plain(from_=ANN), target, **envelope)

    async def acknowledge(self) -> int:
        return await deliver.build_acknowledgements(self.core).send_due()

    async def queue_length(self) -> int:
        return await self.count_rows("acknowledgement_queue")

    async def sent(self) -> list[EmailMessage]:
        """Returns the content of all replies, oldest first."""
        chunks = await self.execute(
            "SELECT c.data FROM replies r JOIN raw_chunks c ON c.message_id = r.message_id "
            "WHERE r.kind = 'acknowledgement' ORDER BY r.id"
        )
        return [message_from_bytes(bytes(row["data"]), policy=policy.default) for row in chunks]  # type: ignore[call-overload]


@pytest.fixture
async def acknowledging(store: Store) -> Any:
    installation = AcknowledgingInstallation(store, {"outgoing.smarthost": "smtp://127.0.0.1:2526"})
    await installation.set_up()
    yield installation
    await installation.close()


async def test_a_new_ticket_is_acknowledged_once(acknowledging: AcknowledgingInstallation) -> None:
    message_id = await acknowledging.receive(mails.plain(from_=ANN, subject="Tea", message_id="<tea@customer.test>"))
    assert await acknowledging.acknowledge() == 1
    assert await acknowledging.acknowledge() == 0
    (sent,) = await acknowledging.sent()
    assert sent["Auto-Submitted"] == "auto-replied"
    assert sent["X-Auto-Response-Suppress"] == "All"
    assert (sent["Subject"], sent["To"]) == ("[#1] Tea", "Ann <ann@customer.test>")
    assert sent["In-Reply-To"] == "<tea@customer.test>"
    assert sent.get_content().strip() == "Hi Ann, #1. We"
    (reply,) = await acknowledging.all_rows("replies")
    (ticket,) = await acknowledging.all_rows("tickets")
    assert (reply["state"], reply["actor_type"], reply["ticket_status"]) == ("queued", "system", None)
    assert (ticket["status"], ticket["assigned_to"]) == ("open", None)
    (delivery,) = await acknowledging.execute("SELECT * FROM deliveries WHERE target = 'smarthost'")
    assert delivery["message_id"] == reply["message_id"] != message_id


async def test_an_acknowledged_ticket_stays_new(acknowledging: AcknowledgingInstallation) -> None:
    agent = await acknowledging.add_actor("agent")
    await acknowledging.receive()
    assert await acknowledging.acknowledge() == 1
    lists = acknowledging.tickets.lists
    assert (await lists.counts(agent)).unread == 1
    (row,) = (await lists.page(agent)).items
    assert (row.unread, row.newest_from, row.is_answered) == ("new", "Ann", False)
    view = await acknowledging.tickets.get(agent, row.ticket.id)
    assert [(event.type, event.actor_type, event.actor_name) for event in view.events] == [
        ("ticket.created", "mail", "Ann"),
        ("ticket.replied", "system", "Acknowledgement"),
    ]


async def test_html_templates_become_html(acknowledging: AcknowledgingInstallation) -> None:
    (template,) = await acknowledging.services.templates.list_all(acknowledging.actor)
    await acknowledging.execute(
        "UPDATE templates SET mode = 'static_html', body = '<p>Hi <b>{name}</b></p>' WHERE id = :id", id=template.id
    )
    await acknowledging.receive(mails.plain(from_='"<i>Ann</i>" <ann@customer.test>'))
    assert await acknowledging.acknowledge() == 1
    (sent,) = await acknowledging.sent()
    html = sent.get_body(("html",))
    assert html is not None
    assert "<b>&lt;i&gt;Ann&lt;/i&gt;</b>" in html.get_content()


async def test_only_tickets_of_acknowledging_aliases_are_queued(acknowledging: AcknowledgingInstallation) -> None:
    await acknowledging.receive(name="billing")
    await acknowledging.receive(mails.bounce(), reverse_path="")
    await acknowledging.receive(mails.out_of_office())
    await acknowledging.receive(mails.list_mail())
    first = mails.plain(from_=ANN, message_id="<one@customer.test>")
    assert await acknowledging.queue_length() == 0
    await acknowledging.receive(first)
    await acknowledging.receive(mails.reply_to("<one@customer.test>", from_=ANN))
    assert await acknowledging.queue_length() == 1


async def test_mail_that_is_never_acknowledged(acknowledging: AcknowledgingInstallation) -> None:
    await acknowledging.receive(mails.plain(from_="No reply <no-reply@customer.test>"))
    await acknowledging.receive(reverse_path="noreply@customer.test")
    await acknowledging.receive(mails.plain(from_="Bob <bob@example.com>"))
    await acknowledging.receive(mails.plain(from_="Bob <bob@sub.example.com>"))
    assert await acknowledging.queue_length() == 4
    assert await acknowledging.acknowledge() == 0
    assert await acknowledging.queue_length() == 0
    assert await acknowledging.sent() == []


async def test_spam_warnings_and_changed_settings_prevent_it(acknowledging: AcknowledgingInstallation) -> None:
    await acknowledging.receive()
    (ticket,) = await acknowledging.all_rows("tickets")
    await hold_as_spam(acknowledging, str(ticket["id"]))
    assert await acknowledging.acknowledge() == 0
    await acknowledging.receive(mails.plain(from_="Bob <bob@customer.test>"))
    await acknowledging.execute("UPDATE tickets SET flagged = 1")
    assert await acknowledging.acknowledge() == 0
    await acknowledging.receive(mails.plain(from_="Cem <cem@customer.test>"))
    change = ReplySettingsChange(acknowledge_template_id="")
    await acknowledging.services.aliases.change(
        acknowledging.actor, acknowledging.aliases["support"], reply_settings=change
    )
    assert await acknowledging.acknowledge() == 0
    await acknowledging.receive(mails.plain(from_="Dan <dan@customer.test>"))
    assert await acknowledging.queue_length() == 0


async def test_without_sending_nothing_is_acknowledged(acknowledging: AcknowledgingInstallation) -> None:
    await acknowledging.receive()
    await acknowledging.execute("UPDATE domains SET sending = 'pending'")
    assert await acknowledging.acknowledge() == 0
    assert await acknowledging.queue_length() == 0


async def test_a_sender_gets_one_in_24_hours(acknowledging: AcknowledgingInstallation) -> None:
    await acknowledging.receive()
    assert await acknowledging.acknowledge() == 1
    await acknowledging.receive(mails.plain(from_="Ann <ANN@Customer.test>", subject="Another"))
    assert await acknowledging.acknowledge() == 0
    acknowledging.clock.advance(DAY)
    await acknowledging.receive(mails.plain(from_=ANN, subject="Next day"))
    assert await acknowledging.acknowledge() == 1


async def test_a_workspace_sends_a_limited_number_in_an_hour(
    acknowledging: AcknowledgingInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acknowledgements, "MAX_PER_HOUR", 2)
    for name in ("ann", "bob", "cem"):
        await acknowledging.receive(mails.plain(from_=f"{name}@customer.test"))
    assert await acknowledging.acknowledge() == 2
    assert await acknowledging.queue_length() == 0
    acknowledging.clock.advance(3601)
    await acknowledging.receive(mails.plain(from_="cem@customer.test"))
    assert await acknowledging.acknowledge() == 1


async def test_results_of_checks_are_awaited(acknowledging: AcknowledgingInstallation) -> None:
    core = acknowledging.core
    core.config = make_config({**acknowledging.settings, "checks.enabled": True})
    waiting = await acknowledging.receive()
    forged = await acknowledging.receive(mails.plain(from_="Bob <bob@customer.test>"))
    assert await acknowledging.acknowledge() == 0
    assert await acknowledging.queue_length() == 2
    failed = done("fail")
    await store_checks(acknowledging, forged, failed)
    await acknowledging.execute("UPDATE tickets SET flagged = 0")
    await acknowledging.execute("UPDATE ticket_messages SET warning = ''")
    assert await acknowledging.acknowledge() == 0
    assert await acknowledging.queue_length() == 1
    await store_checks(acknowledging, waiting, replace(failed, results=done("pass").results))
    assert await acknowledging.acknowledge() == 1
    await acknowledging.receive(mails.plain(from_="Cem <cem@customer.test>"))
    acknowledging.clock.advance(901)
    assert await acknowledging.acknowledge() == 0
    assert await acknowledging.queue_length() == 0


async def test_the_ticket_is_locked_before_the_workspace(postgres_server: PostgresServer) -> None:
    """The accept transaction locks them in this order: another one would delay the answer to a client."""
    async with postgres_store(postgres_server) as store:
        installation = AcknowledgingInstallation(store, {"outgoing.smarthost": "smtp://127.0.0.1:2526"})
        await installation.set_up()
        await installation.receive()
        async with other_transaction(store, "SELECT 1 FROM tickets FOR NO KEY UPDATE") as other:
            sending = asyncio.create_task(installation.acknowledge())
            await wait_until_blocked(other.fetchval)
            await other.execute("SELECT 1 FROM workspaces FOR NO KEY UPDATE NOWAIT")
        assert await sending == 1
        await installation.close()

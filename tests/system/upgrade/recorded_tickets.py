"""Fills the recorded installation with tickets, and with deliveries in every state."""

from contextlib import suppress
from dataclasses import replace
from unittest import mock

from router.admin.tickets.tags import TagService
from router.contents.attempts import ParseAttempts
from router.contents.contents_transaction import write_changes
from router.enumerations import TICKET_PRIORITY
from router.errors import Unavailable
from tests.support import mails
from tests.support.behaviours import FixedResponse, RedirectResponse
from tests.support.installation import DOMAIN
from tests.support.manual_delivery import ManualDelivery
from tests.system.upgrade.recorded_workspace import RecordedInstallation

DOOR = "<door@customer.test>"
REJECTED_FORMAT = FixedResponse(400, "invalid_blocks")


async def create_tickets(recorded: RecordedInstallation) -> None:
    await _create_conversation(recorded)
    await _create_resolved(recorded)
    await _create_board(recorded)
    await _create_digest(recorded)
    await _fail_deliveries(recorded)
    await _interrupt_delivery(recorded)
    await _create_without_contents(recorded)
    await _merge_tags(recorded)
    await _accept(recorded, mails.plain(subject="Not sent yet"))


async def _accept(recorded: RecordedInstallation, content: bytes, *local_parts: str) -> str:
    """Accepts a message, by default for `support`, and returns the id of its first ticket."""
    installation = recorded.installation
    names = local_parts or ("support",)
    return await installation.accept_ticket(
        content, *[await installation.resolve(f"{name}@{DOMAIN}") for name in names]
    )


async def _deliver_one(outbox: ManualDelivery) -> None:
    batch = await outbox.claim_batch()
    await outbox.record(batch, await outbox.send(batch))


async def _create_conversation(recorded: RecordedInstallation) -> None:
    """Creates a ticket with a reply and with events of several actors."""
    installation, tickets = recorded.installation, recorded.installation.tickets
    opening = mails.plain(subject="The door is stuck", message_id=DOOR, headers={"Cc": "eve@customer.test"})
    door = await _accept(recorded, opening, "support+urgent")
    await _accept(recorded, opening, "support+urgent", "archive")  # repeated for one of the addresses
    await recorded.outboxes["general"].deliver()
    await tickets.claim(recorded.agent, door)
    await tickets.unclaim(recorded.agent, door)
    await tickets.set_status(installation.actor, door, "resolved")
    support = await installation.resolve(f"support@{DOMAIN}")
    envelope = replace(installation.envelope(support), protocol="ESMTPS", tls="TLSv1.3 TLS_AES_256_GCM_SHA384")
    reply = mails.plain(text="It opens again.\n\n-- \nAda\n", headers={"In-Reply-To": DOOR})
    await installation.accept.accept(envelope, reply)
    await recorded.outboxes["general"].deliver()
    await tickets.claim(recorded.admin, door)
    await tickets.notes.add(recorded.admin, door, "Sent a locksmith.")
    await tickets.set_choice(await recorded.authenticate_key(), door, TICKET_PRIORITY, "urgent")
    await tickets.tags.tag_ticket(recorded.admin, door, add=["locks"])
    await tickets.lists.mark_all_read(recorded.admin)
    await tickets.lists.mark_read(recorded.agent, door)
    await tickets.drafts.save(recorded.agent, door, "note", "He comes on Friday.")


async def _create_board(recorded: RecordedInstallation) -> None:
    """Creates a ticket with a post that was updated, and with another update that the service delays."""
    tickets, board, discord = recorded.installation.tickets, recorded.outboxes["board"], recorded.discord
    invoice = await _accept(recorded, mails.with_attachment(subject="Invoice 42"), "billing")
    await board.deliver()
    await tickets.set_choice(recorded.admin, invoice, TICKET_PRIORITY, "high")
    await board.deliver()
    await tickets.assign(recorded.admin, invoice, recorded.users["agent"])
    await tickets.set_status(recorded.agent, invoice, "waiting")
    newest = max(discord.messages)
    limited = FixedResponse(429, '{"message": "You are being rate limited.", "retry_after": 60}')
    discord.script(f"{discord.path('board')}/messages/{newest}", limited)
    await _deliver_one(board)


async def _create_resolved(recorded: RecordedInstallation) -> None:
    tickets = recorded.installation.tickets
    offers = await _accept(recorded, mails.list_mail(), "billing", "support")
    await tickets.set_choice(recorded.agent, offers, TICKET_PRIORITY, "low")
    note = await tickets.notes.add(recorded.agent, offers, "Nothing for us.")
    await tickets.notes.edit(recorded.agent, offers, note.id, "Nothing for us this year.")
    await tickets.notes.remove(
        recorded.agent, offers, (await tickets.notes.add(recorded.agent, offers, "Wrong ticket")).id
    )
    await tickets.set_status(recorded.agent, offers, "resolved")
    for name in ("board", "general"):
        await recorded.outboxes[name].deliver()
    erased = await _accept(recorded, mails.plain(subject="Erased"), "archive")
    await tickets.delete(recorded.admin, erased)


async def _create_digest(recorded: RecordedInstallation) -> None:
    """Creates tickets that are posted in one message, and parses their messages."""
    rewritten = {"Reply-To": "Bob <bob@customer.test>", "X-Original-From": "Bob <bob@customer.test>"}
    contents = (
        mails.html(subject="Our offers"),
        mails.bounce(),
        mails.out_of_office(),
        mails.reply_to("<unknown@example.org>", subject="Re: A question", references=("<older@example.org>",)),
        mails.plain(subject="Rewritten", text="", headers=rewritten),
        mails.plain(subject="Bulk", headers={"Precedence": "bulk"}),
        mails.plain(subject="Loop", headers={"X-EmailRouter-Mark": "test"}),
    )
    created = [await _accept(recorded, content) for content in contents]
    await recorded.outboxes["general"].deliver()
    for ticket_id in created:
        await recorded.installation.tickets.get(recorded.admin, ticket_id)


async def _fail_deliveries(recorded: RecordedInstallation) -> None:
    """Lets deliveries fail in each way. The last one is retried later."""
    slack, general = recorded.slack, recorded.outboxes["general"]
    slack.script("general", REJECTED_FORMAT)
    await _accept(recorded, mails.plain(subject="Sent as text"))
    await general.deliver()
    slack.script("general", REJECTED_FORMAT, REJECTED_FORMAT)
    await _accept(recorded, mails.plain(subject="Refused"))
    await general.deliver()
    slack.script("general", RedirectResponse("http://127.0.0.1:9/"))
    await _accept(recorded, mails.plain(subject="Redirected"))
    await general.deliver()
    slack.remove_webhook("broken")
    await _accept(recorded, mails.plain(subject="Parked after an attempt"), "broken")
    await recorded.outboxes["broken"].deliver()
    await _accept(recorded, mails.plain(subject="Parked at once"), "broken")
    services = recorded.installation.services
    await services.integrations.test(recorded.admin, recorded.outboxes["broken"].integration_id)
    await _accept(recorded, mails.plain(subject="Of a removed integration"), "removed")
    alias = (await recorded.installation.resolve(f"removed@{DOMAIN}")).alias_id
    assert alias is not None
    await services.aliases.delete(recorded.admin, alias)
    await services.integrations.delete(recorded.admin, recorded.outboxes["removed"].integration_id)
    slack.script("general", FixedResponse(500, "internal error"))
    await _accept(recorded, mails.plain(subject="Retried"))
    await _deliver_one(general)


async def _interrupt_delivery(recorded: RecordedInstallation) -> None:
    """Leaves attempts without an outcome, as processes do that are killed."""
    await _accept(recorded, mails.plain(subject="Interrupted"), "night")
    first = recorded.outboxes["night"]
    await first.claim_batch()
    recorded.installation.clock.advance(minutes=10)
    await ManualDelivery(recorded.installation, recorded.slack, first.integration_id).claim_batch()


async def _create_without_contents(recorded: RecordedInstallation) -> None:
    """Adds a message that was not parsed yet, and one whose parsing was interrupted."""
    installation = recorded.installation
    await _accept(recorded, mails.plain(subject="Never parsed"), "archive")
    target = await installation.resolve(f"archive@{DOMAIN}")
    interrupted = await installation.accept_message(mails.plain(subject="Not parseable"), target)
    attempts = ParseAttempts(installation.core.writers.open(write_changes), installation.clock)
    await attempts.begin(interrupted, retry=False)


async def _merge_tags(recorded: RecordedInstallation) -> None:
    """Leaves a merge of tags that was interrupted after its first transaction."""
    tags = recorded.installation.tickets.tags
    await tags.create(await recorded.authenticate_key(), "Doors", "#aa3300")
    locks = await tags.find(recorded.admin, "locks")
    failure = mock.patch.object(TagService, "_change_tickets", side_effect=Unavailable("interrupted"))
    with failure, suppress(Unavailable):
        await tags.change(recorded.admin, locks.tag.id, name="doors")

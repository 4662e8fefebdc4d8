"""Message search, trace, and another check of the sender."""

import pytest

from router.admin.tickets.sender_checks import read_checks
from router.errors import Refused
from router.filters import DeliveryFilter
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code
from tests.support.sender_checks import SPAM, done, recheck_service, store_checks


async def test_messages_are_found_by_id_message_id_and_ticket(installation: Installation) -> None:
    actor, stranger = installation.actor, await installation.add_workspace()
    message_id = await installation.accept_message(mails.plain(message_id="<one.two@customer.test>"))
    ticket_id = (await installation.tickets.list(actor)).items[0].id
    await installation.accept_message(mails.reply_to("<one.two@customer.test>"))
    messages = installation.services.messages
    for q, count in (
        (message_id, 1),
        (f"  {message_id} ", 1),
        ("one.two@customer.test", 1),
        ("Message-ID: <one.two@customer.test>", 1),
        (ticket_id, 2),
        ("1", 2),
        ("#1", 2),
        ("#2", 0),
        ("nobody@customer.test", 0),
        (f"msg_{'0' * 26}", 0),
        ("<>", 0),
    ):
        assert len(await messages.find(actor, q)) == count, q
        assert await messages.find(stranger, q) == (), q
    (found,) = await messages.find(actor, message_id)
    assert (found.id, found.rfc_message_id) == (message_id, "one.two@customer.test")
    for wrong in ("", "x" * 5000, "a\nb"):
        assert await refused_code(messages.find(actor, wrong)) == ("invalid_request", "q")


async def test_a_trace_lists_all_events(installation: Installation) -> None:
    tagged = await installation.resolve("support+urgent@example.com")
    message_id = await installation.accept_message(None, tagged)
    found = await installation.services.messages.get_trace(installation.actor, message_id)
    assert found.message_id == message_id
    (ticket_id,) = found.ticket_ids
    assert [event.event for event in found.events] == ["received", "opened", "delivery"]
    received, opened, delivery = [event.detail for event in found.events]
    assert received["peer"] == "192.0.2.7"
    assert opened == {
        "recipient": "support+urgent@example.com",
        "aliasId": installation.aliases["support"],
        "tag": "urgent",
        "ticketId": ticket_id,
        "joinedBy": "",
    }
    assert delivery["integrationId"] == installation.integration_id


async def test_a_trace_shows_the_checks_and_what_waits_for_them(installation: Installation) -> None:
    message_id = await installation.accept_message(None, await installation.resolve("support@example.com"))
    ticket_id = (await installation.tickets.list(installation.actor)).items[0].id
    await installation.execute("UPDATE deliveries SET awaiting = 'checks', next_attempt_at = 7000000")
    await store_checks(installation, message_id, done("fail", "example.com", SPAM))
    found = await installation.services.messages.get_trace(installation.actor, message_id)
    details = {event.event: event.detail for event in found.events}
    assert details["checked"] == {
        "spf": "none",
        "dkim": "fail",
        "dmarc": "fail",
        "iprev": "pass",
        "summary": "DMARC fail (example.com), DKIM fail (example.com)",
        "filter": "rspamd: add header (7.5 of 15)",
        "rechecked": False,
    }
    assert (details["delivery"]["awaiting"], details["delivery"]["nextAttemptAt"]) == ("checks", 7_000_000)
    (delivery,) = (await installation.services.deliveries.list(installation.actor)).items
    with pytest.raises(Refused, match="waits for the sender checks"):
        await installation.services.deliveries.replay(installation.actor, delivery.id)
    assert await installation.services.deliveries.replay_many(installation.actor, state="pending") == 0

    await installation.execute("UPDATE tickets SET spam = 1, spam_reason = 'rspamd', spam_at = 9000000")
    await installation.execute("UPDATE deliveries SET state = 'spam', awaiting = NULL, next_attempt_at = NULL")
    found = await installation.services.messages.get_trace(installation.actor, message_id)
    details = {event.event: event.detail for event in found.events}
    assert details["spam"] == {"ticketId": ticket_id, "reason": "rspamd"}
    with pytest.raises(Refused, match='choose "Not spam" on its ticket'):
        await installation.services.deliveries.replay(installation.actor, delivery.id)
    for state, count in (("spam", 1), ("pending", 0)):
        assert (
            len((await installation.services.deliveries.list(installation.actor, DeliveryFilter(state))).items) == count
        )


async def test_a_recheck_queues_the_message_once_and_needs_its_original(installation: Installation) -> None:
    recheck = recheck_service(installation).recheck
    actor, stranger = installation.actor, await installation.add_workspace()

    async def state(message_id: str) -> tuple[str, bool]:
        checks = (await read_checks(installation.database, [message_id]))[message_id]
        return checks.state, checks.is_queued

    message_id = await installation.accept_message(None, await installation.resolve("support@example.com"))
    await store_checks(installation, message_id, done("pass"))
    assert await state(message_id) == ("done", False)
    for _ in range(2):
        assert (await recheck(actor, message_id)).id == message_id
        assert await state(message_id) == ("done", True)
    assert await installation.count_rows("check_queue") == 1

    await installation.execute("DELETE FROM message_checks")
    assert await state(message_id) == ("pending", True)
    await recheck(actor, message_id)
    assert await installation.count_rows("message_checks") == 0, "its first check is still due"
    await installation.execute("DELETE FROM check_queue")
    assert await state(message_id) == ("skipped", False)
    await recheck(actor, message_id)
    assert await state(message_id) == ("pending", True)
    assert await installation.count_rows("message_checks") == 1, "an old message was checked before"

    assert await refused_code(recheck(stranger, message_id)) == ("not_found", None)
    await installation.execute("DELETE FROM check_queue")
    await installation.execute("DELETE FROM raw_chunks")
    assert await refused_code(recheck(actor, message_id)) == ("not_found", None)
    disabled = recheck_service(installation, enabled=False)
    assert await refused_code(disabled.recheck(actor, message_id)) == ("conflict", None)

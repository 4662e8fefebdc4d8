"""Message search and trace."""

from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code


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

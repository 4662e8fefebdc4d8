"""Received mails as use cases, on both databases: found by what people have in hand."""

from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refusal


async def test_mails_are_found(installation: Installation) -> None:
    actor, stranger = installation.actor, await installation.add_workspace()
    message_id = await installation.mail(mails.plain(message_id="<one.two@customer.test>"))
    ticket_id = (await installation.tickets.list(actor)).items[0].id
    await installation.mail(mails.reply_to("<one.two@customer.test>"))
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
        assert await refusal(messages.find(actor, wrong)) == ("invalid_request", "q")

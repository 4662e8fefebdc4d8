"""Replies among the messages of a ticket: they are no received mail."""

from router.admin.replies.reply_request import ReplyRequest
from router.filters import TicketFilter
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

REQUEST = ReplyRequest(text="The locksmith comes.", html="<p>The <b>locksmith</b> comes.<script>x()</script></p>")


async def test_a_reply_is_an_event_of_its_author(sending: Installation) -> None:
    agent = await sending.add_actor()
    await sending.execute("UPDATE users SET name = 'Ann Agent' WHERE id = :id", id=agent.user_id)
    ticket_id = await sending.accept_ticket(mails.mail())
    reply = (await sending.services.replies.create(agent, ticket_id, REQUEST)).reply
    view = await sending.tickets.get(agent, ticket_id)
    event = next(event for event in view.events if event.type == "ticket.replied")
    assert (event.id, event.actor_type, event.user_id, event.actor_name) == (
        reply.message_id,
        "user",
        agent.user_id,
        "Ann Agent",
    )
    message = view.messages[-1]
    assert message.reply is not None
    assert (message.message.direction, message.reply.reply.id) == ("outbound", reply.id)
    assert (message.contents.text, message.contents.quoted != "") == ("The locksmith comes.", True)
    assert "script" not in message.contents.html
    timeline = await sending.tickets.get_timeline(agent, ticket_id)
    excerpts = [entry.excerpt for entry in timeline.entries if entry.excerpt is not None]
    assert [excerpt.reply for excerpt in excerpts] == [None, message.reply]
    assert timeline.reply_addresses == ("ann@customer.test",)


async def test_a_reply_is_no_received_mail(sending: Installation) -> None:
    agent, colleague = [await sending.add_actor() for _ in range(2)]
    ticket_id = await sending.accept_ticket(mails.mail())

    async def unread() -> str:
        (row,) = (await sending.tickets.lists.page(colleague, TicketFilter())).items
        return row.unread

    assert await unread() == "new"
    reply = (await sending.services.replies.create(agent, ticket_id, REQUEST)).reply
    assert await unread() == ""
    (row,) = (await sending.tickets.lists.page(colleague, TicketFilter())).items
    assert (row.is_answered, row.message_count) == (True, 2)
    overview = await sending.services.overview.get(sending.actor)
    assert overview.days[-1].messages == 1
    await sending.accept_message(mails.mail("<two@customer.test>", extra=("In-Reply-To: <one@customer.test>",)))
    assert await unread() == "new"
    assert await refused_code(sending.services.sender_checks.recheck(agent, reply.message_id)) == ("conflict", None)

    messages = sending.services.messages
    raw = await messages.get_raw(agent, reply.message_id)
    content = b"".join([chunk async for chunk in raw.chunks])
    assert raw.added_fields == b""
    assert (raw.size, content) == (len(content), await sending.contents.read_raw(reply.message_id))
    trace = await messages.get_trace(agent, reply.message_id)
    assert [event.event for event in trace.events] == ["composed", "delivery"]
    assert trace.events[1].detail["recipient"] == "ann@customer.test"


async def test_the_answer_of_a_customer_joins_and_a_reply_from_a_catch_all_has_the_address_written_to(
    sending: Installation,
) -> None:
    agent = await sending.add_actor()
    await sending.add_alias("*")
    first = mails.mail(extra=()).replace(b"support@example.com", b"sales+eu@example.com")
    ticket_id = await sending.accept_ticket(first, await sending.resolve("sales+eu@example.com"))
    reply = await sending.services.replies.create(agent, ticket_id, REQUEST)
    content = (await sending.contents.read_raw(reply.reply.message_id) or b"").decode()
    assert "<sales@example.com>" in content.partition("\r\n\r\n")[0]
    (row,) = await sending.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
    answer = mails.mail("<two@customer.test>", extra=(f"In-Reply-To: <{row['rfc_message_id']}>",))
    joined = await sending.accept_message(answer, await sending.resolve("sales@example.com"))
    (link,) = await sending.execute("SELECT ticket_id FROM ticket_messages WHERE message_id = :id", id=joined)
    assert link["ticket_id"] == ticket_id

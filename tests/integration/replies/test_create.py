"""What a reply consists of when it is created."""

from router.admin.replies.reply_request import ReplyRequest
from tests.support import mails
from tests.support.installation import Installation

REQUEST = ReplyRequest(text="Please try again.")


async def content_of(installation: Installation, message_id: str) -> str:
    raw = await installation.contents.read_raw(message_id)
    assert raw is not None
    return raw.decode("ascii")


async def test_a_reply_is_queued_with_all_that_belongs_to_it(sending: Installation) -> None:
    agent = await sending.add_actor()
    ticket_id = await sending.accept_ticket(mails.mail())
    view = await sending.services.replies.create(agent, ticket_id, REQUEST)
    reply = view.reply
    assert (reply.state, view.to, view.cc, view.subject) == (
        "queued",
        ("ann@customer.test",),
        (),
        "Re: Printer on fire",
    )
    assert reply.send_at - reply.created_at == 10 * 10**6
    content = await content_of(sending, reply.message_id)
    assert "In-Reply-To: <one@customer.test>" in content
    assert "> Hello." in content
    assert 'To: "Ann" <ann@customer.test>' in content or "To: Ann <ann@customer.test>" in content
    (delivery,) = await sending.execute("SELECT * FROM deliveries WHERE target = 'smarthost'")
    assert (delivery["integration_id"], delivery["event"]) == ("installation", "reply")
    assert delivery["next_attempt_at"] == reply.send_at
    assert sending.recording_wake.submissions == 1
    ticket = (await sending.tickets.get(agent, ticket_id)).ticket
    assert (ticket.assigned_to, ticket.status) == (agent.user_id, "in_progress")

"""What a reply consists of when it is created."""

from dataclasses import replace

from router.admin.replies.reply_request import ReplyRequest
from tests.integration.replies.uploading import upload
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


async def test_templates_signatures_and_pictures(sending: Installation) -> None:
    agent = await sending.add_actor()
    await sending.execute("UPDATE users SET name = 'Eve @ Work' WHERE id = :id", id=agent.user_id)
    await sending.execute("UPDATE aliases SET signature = 'Yours, {agent}', reply_to_token = 1")
    ticket_id = await sending.accept_ticket(mails.mail())
    picture = await upload(sending, agent, b"\x89PNG", "door.png", "image/png")
    body = "<p>Hi {name},</p><div data-editable>...</div><script>x()</script>"
    html = await sending.services.templates.create(
        sending.actor, name="Html", subject="About {subject}", body=body, mode="editable_html"
    )
    text = await sending.services.templates.create(sending.actor, name="Text", body="Hi {name}, we got {subject}.")
    create = sending.services.replies.create
    filled = await create(agent, ticket_id, replace(REQUEST, template_id=html.id))
    contents = await sending.contents.get(filled.reply.message_id)
    assert filled.subject == "About Printer on fire"
    assert "Please try again." in contents.html
    assert "script" not in contents.html
    assert "Hi Ann," in contents.text
    content = await content_of(sending, filled.reply.message_id)
    assert "Yours, Eve @ Work" in content
    assert 'From: "Eve Work (Acme)" <support@example.com>' in content
    assert "Reply-To: " in content
    assert "<support+t-" in content.replace("\r\n ", " ")

    whole = await create(agent, ticket_id, replace(REQUEST, text="", template_id=text.id, quote=False))
    assert (await sending.contents.get(whole.reply.message_id)).text == "Hi Ann, we got Printer on fire."
    edited = await create(agent, ticket_id, replace(REQUEST, text="Hi!", template_id=text.id, quote=False))
    assert (await sending.contents.get(edited.reply.message_id)).text == "Hi!"

    markup = f'<p>See <img src="cid:{picture.id}"><img src="cid:upl_other"></p>'
    shown = await create(agent, ticket_id, replace(REQUEST, html=markup, attachments=(picture.id,)))
    (attachment,) = (await sending.contents.get(shown.reply.message_id)).attachments
    assert (attachment.inline, attachment.content_type) == (True, "image/png")

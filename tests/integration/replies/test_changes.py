"""Canceling and retrying replies, and the drafts they come from."""

import json
from dataclasses import replace

from router.admin.replies.reply_request import ReplyRequest
from router.model import Actor
from tests.integration.replies.uploading import upload
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

REQUEST = ReplyRequest(text="Please try again.", cc=("bob@customer.test",), undo_seconds=30)
TABLES = ("deliveries", "raw_chunks", "messages", "ticket_messages")


async def counts(installation: Installation) -> list[int]:
    return [await installation.count_rows(table) for table in TABLES]


async def test_a_canceled_reply_is_a_draft_again(sending: Installation) -> None:
    agent, admin = await sending.add_actor(), await sending.add_actor("admin")
    ticket_id = await sending.accept_ticket(mails.mail())
    drafts, replies = sending.tickets.drafts, sending.services.replies
    file = await upload(sending, agent, b"Springs")
    before = await counts(sending)
    await drafts.save(agent, ticket_id, "reply", "Please", to=("ann@",))
    reply = (await replies.create(agent, ticket_id, replace(REQUEST, attachments=(file.id,)))).reply
    assert await drafts.get(agent, ticket_id, "reply") is None
    canceled = await replies.cancel(admin, reply.id)
    assert {canceled.reply.state, *(each.state for each in canceled.recipients)} == {"canceled"}
    assert await counts(sending) == before
    draft = await drafts.get(agent, ticket_id, "reply")
    assert draft is not None
    assert (draft.text, draft.to) == (REQUEST.text, ("Ann <ann@customer.test>",))
    assert draft.cc == ("bob@customer.test",)
    assert draft.attachments == (file.id,)
    events = (await sending.tickets.get(agent, ticket_id)).events
    assert (events[-1].type, json.loads(events[-1].detail)) == ("reply.canceled", {"replyId": reply.id})
    assert await refused_code(replies.cancel(agent, reply.id)) == ("already_sent", None)

    second = await replies.create(agent, ticket_id, REQUEST)
    await drafts.save(agent, ticket_id, "reply", "And one more thing.")
    await replies.cancel(agent, second.reply.id)
    draft = await drafts.get(agent, ticket_id, "reply")
    assert draft is not None
    assert draft.text == f"{REQUEST.text}\n\nAnd one more thing."


async def test_a_reply_with_an_attempt_cannot_be_canceled(sending: Installation) -> None:
    agent = await sending.add_actor()
    replies = sending.services.replies
    reply = (await replies.create(agent, await sending.accept_ticket(mails.mail()), REQUEST)).reply
    await sending.execute("UPDATE deliveries SET attempts = 1, claims = 1 WHERE id = (SELECT max(id) FROM deliveries)")
    before = await counts(sending)
    assert await refused_code(replies.cancel(agent, reply.id)) == ("already_sent", None)
    assert await counts(sending) == before
    assert (await replies.get(agent, reply.id)).reply.state == "queued"


async def fail(installation: Installation, address: str, state: str = "failed") -> None:
    await installation.execute(
        "UPDATE deliveries SET state = 'dead', attempts = 3, next_attempt_at = NULL WHERE id = ("
        "SELECT delivery_id FROM reply_recipients WHERE address = :address)",
        address=address,
    )
    await installation.execute(
        "UPDATE reply_recipients SET state = :state, code = 550 WHERE address = :address", state=state, address=address
    )
    await installation.execute("UPDATE replies SET state = :state", state=state)


async def test_only_failed_recipients_are_retried_and_another_address_replaces_them(sending: Installation) -> None:
    agent = await sending.add_actor()
    replies = sending.services.replies
    reply_id = (await replies.create(agent, await sending.accept_ticket(mails.mail()), REQUEST)).reply.id
    assert await refused_code(replies.retry(agent, reply_id)) == ("conflict", None)
    await fail(sending, "bob@customer.test", "bounced")
    again = await replies.retry(agent, reply_id)
    assert [(each.address, each.state, each.code) for each in again.recipients] == [
        ("ann@customer.test", "queued", None),
        ("bob@customer.test", "queued", None),
    ]
    assert again.reply.state == "queued"
    assert await sending.count_rows("deliveries", "target = 'smarthost' AND state = 'pending'") == 2

    await fail(sending, "bob@customer.test")
    assert await refused_code(replies.retry(agent, reply_id, ["support@example.com"])) == ("invalid_recipient", "to")
    assert await refused_code(replies.retry(agent, reply_id, [])) == ("no_recipient", "to")
    replaced = await replies.retry(agent, reply_id, ["bob@new.test"])
    assert [(each.address, each.state, each.text) for each in replaced.recipients] == [
        ("ann@customer.test", "queued", ""),
        ("bob@new.test", "queued", ""),
        ("bob@customer.test", "canceled", "Replaced by bob@new.test"),
    ]
    participants = await sending.execute("SELECT address FROM ticket_participants ORDER BY address")
    assert {"address": "bob@new.test"} in [dict(row) for row in participants]
    assert len({each.token for each in replaced.recipients}) == 3

    await fail(sending, "bob@new.test")
    back = await replies.retry(agent, reply_id, ["bob@customer.test"])
    assert {each.address: each.state for each in back.recipients} == {
        "ann@customer.test": "queued",
        "bob@customer.test": "queued",
        "bob@new.test": "canceled",
    }


async def test_the_same_draft_holds_all_fields(sending: Installation) -> None:
    agent: Actor = await sending.add_actor()
    ticket_id = await sending.accept_ticket(mails.mail())
    drafts = sending.tickets.drafts
    fields = {"to": ("ann@customer.test",), "cc": ("b",), "bcc": ("c", "d"), "attachments": ("upl_1",)}
    saved = await drafts.save(agent, ticket_id, "reply", "", html="<p>Hi</p>", **fields)
    assert saved is not None
    assert saved == await drafts.get(agent, ticket_id, "reply")
    assert (saved.html, saved.to, saved.bcc) == ("<p>Hi</p>", fields["to"], fields["bcc"])
    assert await drafts.get(agent, ticket_id, "note") is None
    assert await refused_code(drafts.save(agent, ticket_id, "note", "a", to=("b",))) == ("invalid_request", None)
    too_many = ("a",) * 21
    assert await refused_code(drafts.save(agent, ticket_id, "reply", "a", cc=too_many)) == ("invalid_request", "cc")
    assert await drafts.save(agent, ticket_id, "reply", " ", to=("ann@customer.test",)) is None
    assert await drafts.get(agent, ticket_id, "reply") is None

"""What a reply is refused for, and that nothing is written then."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from router.admin.replies.reply_request import ReplyRequest
from router.admin.replies.uploads import MAX_UNUSED, MAX_UNUSED_BYTES
from router.errors import Refused
from tests.integration.replies.uploading import upload
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

REQUEST = ReplyRequest(text="Please try again.")
REFERENCE = "In-Reply-To: <one@customer.test>"


async def test_nothing_is_written_for_a_refused_reply(sending: Installation) -> None:
    agent, colleague = [await sending.add_actor() for _ in range(2)]
    ticket_id, spam = await sending.accept_ticket(mails.mail()), await sending.accept_ticket(mails.mail("<2@x.test>"))
    await sending.services.spam.mark(agent, spam, spam=True)
    foreign = await upload(sending, colleague, b"x")
    create = sending.services.replies.create
    too_large = [
        (await upload(sending, agent, b"x" * 11_000_000)).id,
        (await upload(sending, agent, b"y" * 11_000_000)).id,
    ]
    wrong: list[tuple[str, str | None, dict[str, Any]]] = [
        ("invalid_request", "text", {"text": " \n\x07"}),
        ("invalid_request", "text", {"text": "x" * 100_001}),
        ("invalid_request", "html", {"html": "x" * 300_001}),
        ("invalid_request", "undoSeconds", {"undo_seconds": 121}),
        ("invalid_request", "undoSeconds", {"undo_seconds": -1}),
        ("invalid_status", "status", {"status": "closed"}),
        ("invalid_request", "subject", {"subject": "Hello\r\nBcc: eve@evil.test"}),
        ("invalid_request", "attachments", {"attachments": ("upl_" + "0" * 26,)}),
        ("invalid_request", "attachments", {"attachments": (foreign.id,)}),
        ("payload_too_large", None, {"attachments": tuple(too_large)}),
        ("not_found", None, {"template_id": "tpl_" + "0" * 26}),
    ]
    for code, field, change in wrong:
        assert await refused_code(create(agent, ticket_id, replace(REQUEST, **change))) == (code, field)
    assert await refused_code(create(agent, spam, REQUEST)) == ("conflict", None)
    outsider = await sending.add_actor("admin", await sending.add_workspace())
    assert await refused_code(create(outsider, ticket_id, REQUEST)) == ("not_found", None)
    assert await sending.count_rows("replies") == 0
    assert await sending.count_rows("messages", "direction = 'outbound'") == 0
    assert (await sending.tickets.get(agent, ticket_id)).ticket.assigned_to is None


async def test_a_reply_needs_a_domain_that_sends_and_an_address_that_receives(sending: Installation) -> None:
    agent = await sending.add_actor()
    ticket_id = await sending.accept_ticket(mails.mail())
    for change, undo, fix in (
        ("UPDATE domains SET sending = 'pending'", "UPDATE domains SET sending = 'active'", "Publish the DKIM record"),
        ("UPDATE aliases SET status = 'disabled'", "UPDATE aliases SET status = 'active'", "activate the alias"),
        ("DELETE FROM aliases", "", "Add or activate the alias support@example.com"),
    ):
        await sending.execute(change)
        sending.core.routing_cache.invalidate()
        with pytest.raises(Refused) as refused:
            await sending.services.replies.create(agent, ticket_id, REQUEST)
        assert refused.value.code == "sending_not_set_up"
        assert fix in refused.value.details["fix"]
        defaults = await sending.services.replies.read_composer(agent, ticket_id)
        assert (defaults.is_set_up, defaults.fix) == (False, refused.value.details["fix"])
        if undo:
            await sending.execute(undo)
            sending.core.routing_cache.invalidate()


async def test_only_newer_mail_of_a_person_or_colleague_stops_a_reply(sending: Installation) -> None:
    agent, colleague = [await sending.add_actor() for _ in range(2)]
    ticket_id = await sending.accept_ticket(mails.mail())
    replies = sending.services.replies
    seen = (await replies.read_composer(agent, ticket_id)).last_message_id
    request = replace(REQUEST, if_last_message_id=seen)
    ours = await replies.create(colleague, ticket_id, request)
    automatic = (REFERENCE, "Auto-Submitted: auto-replied")
    await sending.accept_message(mails.mail("<auto@customer.test>", extra=automatic))
    with pytest.raises(Refused, match="colleague") as answered:
        await replies.create(agent, ticket_id, request)
    assert (answered.value.code, answered.value.details) == ("newer_message", {"lastMessageId": ours.reply.message_id})
    assert (await replies.read_composer(agent, ticket_id)).last_message_id == ours.reply.message_id
    await replies.create(colleague, ticket_id, request)  # the second answer of the same author
    await replies.cancel(colleague, (await replies.list_by_ticket(agent, ticket_id)).items[0].reply.id)
    await replies.create(agent, ticket_id, replace(REQUEST, if_last_message_id=ours.reply.message_id))
    assert await refused_code(replies.create(agent, ticket_id, replace(REQUEST, if_last_message_id="ticket_1"))) == (
        "invalid_request",
        "ifLastMessageId",
    )
    newer = await sending.accept_message(mails.mail("<two@customer.test>", extra=(REFERENCE,)))
    for last in (seen, ours.reply.message_id, "msg_" + "0" * 26):
        with pytest.raises(Refused) as refused:
            await replies.create(agent, ticket_id, replace(REQUEST, if_last_message_id=last))
        assert (refused.value.code, refused.value.details) == ("newer_message", {"lastMessageId": newer})
    await replies.create(agent, ticket_id, replace(REQUEST, if_last_message_id=newer))
    await replies.create(agent, ticket_id, REQUEST)


async def test_uploads_are_limited_and_leave_nothing_behind(sending: Installation) -> None:
    agent = await sending.add_actor()
    uploads = sending.services.uploads
    assert await refused_code(upload(sending, agent, b"x" * (uploads.max_bytes + 1))) == ("payload_too_large", None)

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * 300_000
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await uploads.add(agent, "a.txt", "text/plain", broken())
    assert await sending.count_rows("uploads") == await sending.count_rows("upload_chunks") == 0
    named = await upload(sending, agent, b"", "../\u202egnp.exe\r\n")
    assert (named.filename, named.size) == ("../gnp.exe", 0)
    for _ in range(MAX_UNUSED - 1):
        await upload(sending, agent, b"x")
    assert await refused_code(upload(sending, agent, b"x")) == ("conflict", None)
    colleague = await sending.add_actor()
    large = await upload(sending, colleague, b"x")
    await sending.execute("UPDATE uploads SET size = :size WHERE id = :id", size=MAX_UNUSED_BYTES, id=large.id)
    assert await refused_code(upload(sending, colleague, b"x")) == ("conflict", None)

"""Replies of people on the way to the smarthost: races with the deliver process, and what customers answer."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest

from router.admin.replies.reply_request import ReplyRequest
from router.errors import Refused
from router.replies.build import ReplyBuilder
from tests.support import mails
from tests.support.refusal import refused_code
from tests.support.replies import ManualSubmissions, open_submissions
from tests.support.stores import Store

REQUEST = ReplyRequest(text="Please try again.", undo_seconds=0)


@pytest.fixture
async def submissions(store: Store) -> AsyncIterator[ManualSubmissions]:
    async with open_submissions(store) as opened:
        await opened.installation.execute("UPDATE domains SET sending = 'active'")
        yield opened


async def test_a_reply_is_handed_over_and_its_answer_joins(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    agent = await installation.add_actor()
    ticket_id = await installation.accept_ticket(mails.mail())
    reply = (await installation.services.replies.create(agent, ticket_id, REQUEST)).reply
    assert await submissions.submit_due() == 1
    view = await installation.services.replies.get(agent, reply.id)
    assert (view.reply.state, [each.attempt.outcome for each in view.attempts]) == ("sent", ["sent"])
    assert view.attempts[0].address == "ann@customer.test"
    ticket = (await installation.tickets.get(agent, ticket_id)).ticket
    assert (ticket.status, ticket.assigned_to) == ("waiting", agent.user_id)
    assert ticket.first_replied_at == view.reply.sent_at is not None
    assert await refused_code(installation.services.replies.cancel(agent, reply.id)) == ("already_sent", None)
    (mail,) = submissions.smarthost.accepted
    identity = mail.content.partition(b"Message-ID: <")[2].partition(b">")[0].decode()
    answer = mails.mail("<two@customer.test>", extra=(f"References: <{identity}>",))
    assert await installation.accept_ticket(answer) == ticket_id
    assert (await installation.tickets.get(agent, ticket_id)).ticket.status == "open"


async def test_a_reply_is_either_canceled_or_claimed(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    agent = await installation.add_actor()
    ticket_id = await installation.accept_ticket(mails.mail())
    for _ in range(6):
        reply = (await installation.services.replies.create(agent, ticket_id, REQUEST)).reply
        canceled, claimed = await asyncio.gather(
            installation.services.replies.cancel(agent, reply.id), submissions.claim(), return_exceptions=True
        )
        assert not isinstance(claimed, BaseException)
        state = (await installation.services.replies.get(agent, reply.id)).reply.state
        if isinstance(canceled, Refused):
            assert (canceled.code, len(claimed), state) == ("already_sent", 1, "sending")
        else:
            assert not isinstance(canceled, BaseException)
            assert (claimed, state) == ([], "canceled")


async def test_what_happens_while_a_reply_is_composed(
    submissions: ManualSubmissions, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = submissions.installation
    agent = await installation.add_actor()
    ticket_id = await installation.accept_ticket(mails.mail())
    seen = (await installation.services.replies.read_composer(agent, ticket_id)).last_message_id
    request = replace(REQUEST, if_last_message_id=seen)
    build = ReplyBuilder.build

    async def create_during(change: Callable[[], Awaitable[object]]) -> tuple[str, str | None]:
        async def build_slowly(*args: object, **options: object) -> object:
            built = await build(*args, **options)  # type: ignore[arg-type]
            await change()
            return built

        with monkeypatch.context() as patch:
            patch.setattr(ReplyBuilder, "build", build_slowly)
            return await refused_code(installation.services.replies.create(agent, ticket_id, request))

    newer = mails.mail("<two@customer.test>", extra=("In-Reply-To: <one@customer.test>",))
    assert await create_during(lambda: installation.accept_message(newer)) == ("newer_message", "ifLastMessageId")
    request = REQUEST
    marked = await create_during(lambda: installation.services.spam.mark(agent, ticket_id, spam=True))
    assert marked == ("conflict", None)
    await installation.services.spam.mark(agent, ticket_id, spam=False)
    erased = await create_during(lambda: installation.tickets.delete(installation.actor, ticket_id))
    assert erased == ("not_found", None)
    assert await installation.count_rows("replies") == 0
    assert await installation.count_rows("messages") == 0

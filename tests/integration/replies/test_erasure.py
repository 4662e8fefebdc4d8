"""What stays of replies that were canceled or erased, and of their files."""

from unittest.mock import AsyncMock

from router.admin.idempotency import IdempotencyClaim
from router.admin.replies.reply_request import ReplyRequest
from router.dispatch.retention import Retention, RetentionPeriods
from router.reply_tokens import bounce_address
from router.store.move import TABLES
from tests.integration.replies.uploading import upload
from tests.support import mails
from tests.support.bounces import FORMS
from tests.support.installation import Installation
from tests.support.replies import open_submissions
from tests.support.stores import Store


def _request(text: str, *, undo: int = 0, attachments: tuple[str, ...] = ()) -> ReplyRequest:
    return ReplyRequest(text=text, undo_seconds=undo, attachments=attachments, quote=False)


def _retention(installation: Installation) -> Retention:
    periods = RetentionPeriods(raw_messages=None, resolved_tickets=None, spam_tickets=None, duplicate_window=0)
    return Retention(installation.database, installation.contents, installation.clock, periods, pause=AsyncMock())


async def test_a_reply_is_found_once_it_cannot_be_canceled_any_more(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation = submissions.installation
        await installation.execute("UPDATE domains SET sending = 'active'")
        agent, replies = await installation.add_actor(), installation.services.replies
        ticket_id = await installation.accept_ticket(mails.mail())
        canceled = (await replies.create(agent, ticket_id, _request("Ask the locksmith.", undo=60))).reply
        assert await installation.search("locksmith") == []
        assert "locksmith" in (await installation.contents.get(canceled.message_id)).text
        await replies.cancel(agent, canceled.id)
        assert await installation.search("locksmith") == []
        viewed = (await replies.create(agent, ticket_id, _request("Ask the gardener."))).reply
        await installation.contents.get(viewed.message_id)
        await replies.create(agent, ticket_id, _request("Ask the plumber."))
        assert await submissions.submit_due() == 2
        assert await installation.search("gardener") == [1]
        assert await installation.search("plumber") == [1]


async def test_files_of_a_queued_reply_stay_until_a_day_after_it_was_canceled(sending: Installation) -> None:
    agent, replies = await sending.add_actor(), sending.services.replies
    ticket_id = await sending.accept_ticket(mails.mail())
    kept, unused = [await upload(sending, agent, b"a,b") for _ in range(2)]
    reply = (await replies.create(agent, ticket_id, _request("See the table.", attachments=(kept.id,)))).reply
    sending.clock.advance(days=3)  # it waits for a smarthost
    await _retention(sending).sweep()
    assert [each.id for each in await sending.services.uploads.get_many(agent, [kept.id, unused.id])] == [kept.id]
    await replies.cancel(agent, reply.id)
    sending.clock.advance(days=0.5)
    await _retention(sending).sweep()
    draft = await sending.tickets.drafts.get(agent, ticket_id, "reply")
    assert draft is not None
    (found,) = await sending.services.uploads.get_many(agent, draft.attachments)
    assert (await sending.services.uploads.read(found)).data == b"a,b"
    sending.clock.advance(days=1)
    await _retention(sending).sweep()
    assert await sending.count_rows("upload_chunks") == 0


async def test_nothing_stays_of_an_erased_ticket(store: Store) -> None:
    async with open_submissions(store) as submissions:
        installation, services = submissions.installation, submissions.installation.services
        await installation.execute("UPDATE domains SET sending = 'active'")
        agent, other = [await installation.add_actor() for _ in range(2)]
        kept_upload = await upload(installation, other, b"kept")
        content = mails.mail(sender="Zoe <zoe@zebra.test>", body="About zebras.")
        ticket_id = await installation.accept_ticket(content)
        submissions.smarthost.final_text = "Ok <zebra-1@assigned.test>"
        sent = (await services.replies.create(agent, ticket_id, _request("A zebra."))).reply
        await submissions.submit_due()
        (row,) = await submissions.recipients(sent.id)
        target = await installation.resolve(bounce_address(str(row["token"]), installation.domain_name))
        await installation.accept_message(FORMS["Postfix"].build("zoe@zebra.test"), target, reverse_path="")
        assert await installation.count_rows("bounce_queue") == 1
        uploads = [(await upload(installation, agent, b"zebra", f"zebra{n}.txt")).id for n in range(2)]
        queued = _request("Zebra two.", undo=60, attachments=tuple(uploads[:1]))
        reply = (await services.replies.create(agent, ticket_id, queued)).reply
        claim = await services.idempotency.claim("key:1 POST /replies", "k", "digest")
        assert isinstance(claim, IdempotencyClaim)
        answer = f'{{"id": "{reply.id}", "ticketId": "{ticket_id}", "to": ["zoe@zebra.test"]}}'
        await services.idempotency.store_response(claim, 202, answer)
        files = (uploads[1], kept_upload.id)  # one of another user
        await services.tickets.drafts.save(agent, ticket_id, "reply", "Zebra.", to=("zebra",), attachments=files)
        await installation.contents.get(sent.message_id)
        await services.tickets.delete(installation.actor, ticket_id)
        left = {
            table: [row for row in await installation.execute(f"SELECT * FROM {table}") if "zebra" in str(row).lower()]
            for table in TABLES
        }
        assert {table: rows for table, rows in left.items() if rows} == {}
        emptied = ("replies", "reply_recipients", "reply_bounces", "sent_message_ids", "bounce_queue", "drafts")
        assert [await installation.count_rows(table) for table in emptied] == [0] * len(emptied)
        assert [row["id"] for row in await installation.all_rows("uploads")] == [kept_upload.id]
        assert await installation.search("zebra") == []

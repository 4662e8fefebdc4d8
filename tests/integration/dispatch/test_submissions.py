"""Replies that are submitted to a smarthost: each kind of answer, and what follows from it."""

import json
from collections.abc import AsyncIterator

import pytest

from tests.support import mails
from tests.support.replies import CUSTOMER, ManualSubmissions, open_submissions, queue_reply
from tests.support.slack import SlackStandIn
from tests.support.smarthost import CLOSE
from tests.support.stores import Store
from tests.support.waiting import wait_until


@pytest.fixture
async def submissions(store: Store) -> AsyncIterator[ManualSubmissions]:
    async with open_submissions(store) as opened:
        yield opened


async def test_a_reply_is_handed_over(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket()
    author = await installation.add_actor()
    await installation.services.tickets.drafts.save(author, ticket_id, "reply", "Thank you")
    installation.clock.advance(1)
    reply = await queue_reply(
        installation, ticket_id, delay=10_000_000, actor_type="user", actor_id=author.user_id, user_id=author.user_id
    )
    assert await submissions.submit_due() == 0  # it can still be undone
    assert (await submissions.ticket(ticket_id))["status"] == "open"
    installation.clock.advance(10)
    submissions.smarthost.final_text = "Ok <0100-ab@eu.mailer.test>"
    assert await submissions.submit_due() == 1

    (sent,) = submissions.smarthost.accepted
    recipient = await submissions.recipient(reply.id)
    assert sent.sender == f"b-{recipient['token']}@example.com"
    assert sent.recipients == [CUSTOMER]
    assert sent.content.endswith(b"\r\n\r\nThank you.\r\n")
    assert (recipient["state"], recipient["code"], recipient["delivery_state"]) == ("sent", 250, "delivered")
    stored = await submissions.reply(reply.id)
    assert (stored["state"], stored["sent_at"], stored["last_error"]) == ("sent", installation.clock.now(), "")
    ticket = await submissions.ticket(ticket_id)
    assert (ticket["status"], ticket["first_replied_at"]) == ("waiting", installation.clock.now())
    (event,) = await submissions.events(ticket_id)
    assert (event["type"], event["actor_id"]) == ("ticket.status_changed", author.user_id)
    assert json.loads(str(event["detail"]))["before"] == {"status": "open"}
    (assigned,) = await installation.execute("SELECT * FROM sent_message_ids")
    assert assigned == {
        "rfc_message_id": "0100-ab@eu.mailer.test",
        "thread_key": installation.aliases["support"],
        "ticket_id": ticket_id,
    }
    assert await installation.count_rows("drafts") == 1  # what the author wrote elsewhere stays
    (attempt,) = await installation.execute("SELECT * FROM attempts")
    assert (attempt["outcome"], attempt["status"]) == ("sent", 250)
    assert attempt["final_dot_at"] is not None
    assert await submissions.submit_due() == 0


async def test_a_new_mail_of_a_person_keeps_the_status(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket(mails.plain(message_id="<first@customer.test>"))
    await queue_reply(installation, ticket_id, delay=10_000_000)
    await installation.accept_message(mails.plain(headers={"In-Reply-To": "<first@customer.test>"}))
    installation.clock.advance(10)
    assert await submissions.submit_due() == 1
    assert (await submissions.ticket(ticket_id))["status"] == "open"


@pytest.mark.parametrize("step", ["rcpt", "data", "final"])
async def test_a_rejected_recipient_fails_alone(submissions: ManualSubmissions, step: str) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket()
    reply = await queue_reply(installation, ticket_id, [CUSTOMER, "bob@customer.test"])
    submissions.smarthost.answers[step] = ["550 5.1.1 No such user"]
    assert await submissions.submit_due() == 2

    first, second = await submissions.recipients(reply.id)
    assert {first["state"], second["state"]} == {"failed", "sent"}
    failed = first if first["state"] == "failed" else second
    assert (failed["code"], failed["text"], failed["delivery_state"]) == (550, "550 5.1.1 No such user", "dead")
    assert (await submissions.reply(reply.id))["state"] == "failed"
    assert (await submissions.ticket(ticket_id))["status"] == "open"
    types = [event["type"] for event in await submissions.events(ticket_id)]
    assert types == ["ticket.status_changed", "reply.failed", "ticket.reopened"]
    (post,) = await installation.execute("SELECT * FROM deliveries WHERE event = 'reply_failed'")
    assert post["integration_id"] == installation.integration_id
    assert post["message_id"] == reply.message_id


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        ("greeting", "421 4.3.2 Not now"),
        ("greeting", CLOSE),
        ("mail", "451 4.3.0 Later"),
        ("rcpt", "450 4.2.0 Greylisted"),
        ("data", "452 4.3.1 Full"),
        ("final", "451 4.3.0 Later"),
        ("final", CLOSE),
    ],
)
async def test_a_temporary_failure_is_retried_on_the_schedule(
    submissions: ManualSubmissions, step: str, answer: object
) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket()
    reply = await queue_reply(installation, ticket_id)
    submissions.smarthost.answers[step] = [answer]  # type: ignore[list-item]
    assert await submissions.submit_due() == 1
    recipient = await submissions.recipient(reply.id)
    assert recipient["state"] == "retrying"
    assert recipient["next_attempt_at"] == installation.clock.now() + 5_000_000
    assert (await submissions.reply(reply.id))["last_error"] == recipient["text"] != ""
    assert (await submissions.ticket(ticket_id))["status"] == "waiting"
    installation.clock.advance(5)
    assert await submissions.submit_due() == 1
    assert (await submissions.reply(reply.id))["state"] == "sent"
    ids = {
        transaction.content.split(b"Message-ID: ")[1].split()[0] for transaction in submissions.smarthost.transactions
    }
    assert len(ids) == 1


async def test_a_reply_expires_and_reopens_its_ticket(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    ticket_id = await installation.accept_ticket()
    reply = await queue_reply(installation, ticket_id)
    submissions.smarthost.answers["rcpt"] = "450 4.2.0 Greylisted"
    await submissions.submit_due()
    installation.clock.advance(days=3, seconds=1)
    await submissions.submit_due()
    recipient = await submissions.recipient(reply.id)
    assert (recipient["state"], recipient["text"]) == ("failed", "450 4.2.0 Greylisted")
    assert (await submissions.ticket(ticket_id))["status"] == "open"


async def test_a_failing_smarthost_parks_its_mail_and_one_mail_probes(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    ticket_id = await installation.accept_ticket()
    replies = [await queue_reply(installation, ticket_id, ticket_status=None) for _ in range(3)]
    smarthost.answers["mail"] = "530 5.7.0 Authentication required"
    (first, *_) = await submissions.claim(slots=1)
    await submissions.record(first, await submissions.send(first))
    (row,) = await installation.execute("SELECT * FROM smarthosts")
    assert (row["status"], row["last_error"]) == ("failing", "530 5.7.0 Authentication required")
    assert await submissions.submit_due() == 0
    states = [await submissions.recipient(reply.id) for reply in replies]
    assert [each["parked_at"] is not None for each in states] == [True] * 3
    assert [each["state"] for each in states] == ["retrying", "queued", "queued"]
    assert "530 5.7.0" in str((await submissions.reply(replies[2].id))["last_error"])

    installation.clock.advance(minutes=5)
    assert await submissions.submit_due() == 1  # the probe fails
    installation.clock.advance(minutes=5)
    assert await submissions.submit_due() == 0
    del smarthost.answers["mail"]
    installation.clock.advance(minutes=5)
    assert await submissions.submit_due() == 3
    (row,) = await installation.execute("SELECT * FROM smarthosts")
    assert (row["status"], row["last_error"]) == ("active", "")
    assert {str((await submissions.reply(reply.id))["state"]) for reply in replies} == {"sent"}


async def test_one_rejected_sender_does_not_stop_the_mail_of_others(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    ticket_id = await installation.accept_ticket()
    rejected = await queue_reply(installation, ticket_id)
    token = str((await submissions.recipient(rejected.id))["token"])
    await installation.execute("UPDATE messages SET from_address = 'bad@example.com' WHERE direction = 'outbound'")
    smarthost.answers["mail"] = lambda sender: "550 5.7.1 No" if "bad@" in sender or token in sender else None
    await submissions.submit_due()
    others = [await queue_reply(installation, ticket_id) for _ in range(9)]
    assert await submissions.submit_due() == 0
    installation.clock.advance(minutes=5)
    assert await submissions.submit_due() == 10
    assert {(await submissions.reply(reply.id))["state"] for reply in others} == {"sent"}
    (row,) = await installation.execute("SELECT * FROM smarthosts")
    assert row["status"] == "active"
    installation.clock.advance(days=3)
    await submissions.submit_due()
    assert (await submissions.recipient(rejected.id))["text"] == "550 5.7.1 No"
    assert (await submissions.reply(rejected.id))["state"] == "failed"


async def test_a_bounce_after_a_lost_answer_stays(submissions: ManualSubmissions) -> None:
    installation = submissions.installation
    reply = await queue_reply(installation, await installation.accept_ticket())
    submissions.smarthost.answers["final"] = [CLOSE]
    await submissions.submit_due()
    await installation.execute("UPDATE reply_recipients SET state = 'bounced'")
    installation.clock.advance(5)
    assert await submissions.submit_due() == 1
    assert (await submissions.reply(reply.id))["state"] == "bounced"


async def test_the_alias_is_tried_if_the_token_is_rejected_as_the_sender(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    ticket_id = await installation.accept_ticket()
    smarthost.answers["mail"] = lambda sender: "553 5.7.1 Not owned" if sender.startswith("b-") else None
    for _ in range(2):
        await queue_reply(installation, ticket_id)
        await submissions.submit_due()
    assert [sent.sender for sent in smarthost.accepted] == ["support@example.com"] * 2
    assert sum(command.startswith("MAIL FROM:<b-") for command in smarthost.commands) == 1
    (row,) = await installation.execute("SELECT * FROM smarthosts")
    assert (row["status"], row["rejects_token_sender"]) == ("active", 1)


async def test_an_acknowledgement_has_the_null_sender_and_fails_silently(submissions: ManualSubmissions) -> None:
    installation, smarthost = submissions.installation, submissions.smarthost
    ticket_id = await installation.accept_ticket()
    await queue_reply(installation, ticket_id, kind="acknowledgement", ticket_status=None)
    await submissions.submit_due()
    assert [sent.sender for sent in smarthost.accepted] == [""]
    assert (await submissions.ticket(ticket_id))["first_replied_at"] is None
    smarthost.answers["mail"] = lambda sender: None if sender else "501 Invalid MAIL FROM address provided"
    for kind in ("acknowledgement", "reply"):
        await queue_reply(installation, ticket_id, kind=kind, ticket_status=None)
        await submissions.submit_due()
    assert [sent.sender.startswith("b-") for sent in smarthost.accepted[1:]] == [False, True]
    smarthost.answers = {"rcpt": "550 5.1.1 No such user"}
    reply = await queue_reply(installation, ticket_id, kind="acknowledgement", ticket_status=None)
    await submissions.submit_due()
    assert (await submissions.reply(reply.id))["state"] == "failed"
    assert await submissions.events(ticket_id) == []
    assert await installation.count_rows("deliveries", "event = 'reply_failed'") == 0


async def test_the_channel_is_told_of_a_failed_reply(submissions: ManualSubmissions, slack: SlackStandIn) -> None:
    installation = submissions.installation
    installation.integration_id = await installation.add_integration("told", webhook=slack.url("told"))
    await installation.add_alias("help")
    ticket_id = await installation.accept_ticket(None, "help")
    await queue_reply(installation, ticket_id)
    submissions.smarthost.answers["rcpt"] = "550 5.1.1 No such user <&>"
    await submissions.submit_due()
    async with installation.run_dispatcher():
        await wait_until(lambda: len(slack.posts) == 2, "both posts")
    sentence = "Your answer to ann@customer.test on #1 was not sent: 550 5.1.1 No such user"
    assert sentence in json.dumps(slack.posts[1].payload)
    assert await installation.count_rows("deliveries", "state = 'delivered' AND event = 'reply_failed'") == 1

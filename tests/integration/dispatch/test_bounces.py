"""Bounces of replies, from RCPT to the state of their recipients."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.errors import Refused, Unavailable
from router.mail.address import parse_mailbox
from router.replies.undeliverable import BOUNCE_WINDOW, find_undeliverable
from router.reply_tokens import anchor_id, bounce_address, ticket_tag, ticket_token
from router.routing.route import MAX_BOUNCES, Refusal, Target
from router.store.erasure import erase_ticket
from tests.integration.dispatch.sent_reply import ANN, BEN, SentReply, open_sent_reply
from tests.support import mails
from tests.support.bounces import FORMS, report, text_bounce
from tests.support.replies import queue_reply
from tests.support.stores import Store


@pytest.fixture
async def sent(store: Store) -> AsyncIterator[SentReply]:
    async with open_sent_reply(store) as found:
        yield found


async def refusal(sent: SentReply, local_part: str) -> str:
    found = await sent.installation.core.routing_cache.resolve(parse_mailbox(f"{local_part}@example.com"))
    assert isinstance(found, Refusal), found
    return found.reason


async def assert_nothing_lost(sent: SentReply) -> None:
    """Each received message is in as many tickets as it was accepted for, and posted where it must be."""
    wrong = await sent.installation.execute(
        "SELECT m.id, m.kind FROM messages m WHERE m.direction = 'inbound' AND (m.aliases - m.repeated <> ("
        "SELECT COUNT(DISTINCT tm.ticket_id) FROM ticket_messages tm WHERE tm.message_id = m.id) OR ("
        "SELECT COUNT(DISTINCT tm.ticket_id) FROM ticket_messages tm "
        "WHERE tm.message_id = m.id AND tm.integration_id IS NOT NULL) <> ("
        "SELECT COUNT(*) FROM deliveries d WHERE d.message_id = m.id AND d.event IN ('opened', 'replied')))"
    )
    assert wrong == []
    assert (await audit_losses(sent.installation.database)).list_faults() == []


@pytest.mark.parametrize("name", FORMS)
async def test_each_form_at_the_token(sent: SentReply, name: str) -> None:
    form = FORMS[name]
    message_id = await sent.bounce(form.build(ANN))
    state, code, text = (await sent.states())[ANN]
    assert (state, code) == ("delayed" if form.action == "delayed" else "bounced", form.code)
    assert text.startswith(form.status)
    assert form.text in text
    assert (await sent.states())[BEN][0] == "sent"
    is_failure = state == "bounced"
    assert await sent.status() == ("open" if is_failure else "waiting")
    expected = ["reply.bounced", "ticket.reopened"] if is_failure else ["reply.delayed"]
    assert await sent.events() == expected
    assert await sent.posts() == (["opened", "reply_bounced"] if is_failure else ["opened"])
    (row,) = await sent.installation.execute("SELECT kind, automatic FROM messages WHERE id = :id", id=message_id)
    assert (row["kind"], row["automatic"]) == ("bounce", "bounce")
    assert len(await sent.installation.all_rows("tickets")) == 1
    await assert_nothing_lost(sent)


async def test_the_trace_of_a_bounce(sent: SentReply) -> None:
    message_id = await sent.bounce(FORMS["Postfix"].build(ANN))
    trace = await sent.installation.services.messages.get_trace(sent.installation.actor, message_id)
    assert [event.event for event in trace.events] == ["received", "joined", "bounced"]
    assert trace.events[0].detail["kind"] == "bounce"
    assert (trace.events[2].detail["address"], trace.events[2].detail["code"]) == (ANN, 550)


async def test_explain(sent: SentReply) -> None:
    installation = sent.installation
    await installation.add_alias("*")
    address = bounce_address(await sent.token(), "example.com")
    found = await installation.services.explanations.explain(installation.actor, address, sender="x@blocked.test")
    assert (found.accepted, [step.step for step in found.steps]) == (True, ["domain", "bounce"])
    assert ANN in found.steps[1].detail
    guessed = await installation.services.explanations.explain(installation.actor, f"b-{'a' * 26}@example.com")
    assert (guessed.accepted, guessed.reply[:9]) == (False, "550 5.1.1")
    assert [step.detail for step in guessed.steps][1] == "no reply of this workspace has this envelope sender"


@pytest.mark.parametrize("local_part", [f"B-{'a' * 26}", f"support+t-{'2' * 26}"])
async def test_no_alias_has_the_form_of_a_token(sent: SentReply, local_part: str) -> None:
    installation = sent.installation
    with pytest.raises(Refused, match="reserved") as refused:
        await installation.services.aliases.create(
            installation.actor,
            domain_id=installation.domain_id,
            local_part=local_part,
            integration_id=installation.integration_id,
        )
    assert refused.value.code == "invalid_alias"


async def test_an_alias_of_an_older_version_still_works(sent: SentReply) -> None:
    local_part = f"b-{'a' * 26}"
    alias = await sent.installation.add_alias(local_part)
    assert (await sent.installation.resolve(f"{local_part}@example.com")).alias_id == alias.alias_id


async def test_a_delay_does_not_undo_a_failure(sent: SentReply) -> None:
    await sent.bounce(FORMS["Postfix delay"].build(ANN))
    await sent.bounce(FORMS["Postfix"].build(ANN))
    await sent.bounce(FORMS["Postfix delay"].build(ANN))
    assert (await sent.states())[ANN][0] == "bounced"
    assert await sent.events() == ["reply.delayed", "reply.bounced", "ticket.reopened"]
    (row,) = await sent.installation.all_rows("replies")
    assert row["state"] == "bounced"
    assert "550" in str(row["last_error"])


async def test_reports_of_success_are_only_events(sent: SentReply) -> None:
    await sent.bounce(report(f"Final-Recipient: rfc822; {ANN}\nAction: relayed\nStatus: 2.1.5"))
    assert await sent.events() == ["reply.delivery_report"]
    assert (await sent.states())[ANN][0] == "sent"


async def test_a_null_reverse_path_without_a_report_is_a_failure_without_code(sent: SentReply) -> None:
    await sent.bounce(text_bounce("It did not work."))
    assert (await sent.states())[ANN] == ("bounced", None, "no code")


async def test_an_automatic_reply_is_a_note(sent: SentReply) -> None:
    content = mails.plain(subject="Out of office", headers={"Auto-Submitted": "auto-replied"})
    message_id = await sent.bounce(content)
    (row,) = await sent.installation.execute("SELECT kind, automatic FROM messages WHERE id = :id", id=message_id)
    assert (row["kind"], row["automatic"]) == ("bounce", "auto-reply")
    assert await sent.status() == "waiting"
    assert await sent.events() == []
    assert (await sent.states())[ANN][0] == "sent"


async def test_the_answer_of_a_person_to_the_token_is_posted(sent: SentReply) -> None:
    message_id = await sent.bounce(mails.plain(subject="Re: Hello"), reverse_path="carla@customer.test")
    (row,) = await sent.installation.execute("SELECT kind FROM messages WHERE id = :id", id=message_id)
    assert row["kind"] == "mail"
    assert await sent.status() == "open"
    assert await sent.posts() == ["opened", "replied"]
    await assert_nothing_lost(sent)


async def test_mail_of_a_list_to_the_token_is_posted_without_reopening(sent: SentReply) -> None:
    await sent.bounce(mails.plain(headers={"List-Id": "<x.customer.test>"}), reverse_path="x@customer.test")
    assert (await sent.status(), await sent.posts()) == ("waiting", ["opened", "replied"])
    await assert_nothing_lost(sent)


async def test_an_earlier_reply_that_a_bounce_mentions_names_only_the_ticket(sent: SentReply) -> None:
    (row,) = await sent.installation.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
    newer = await queue_reply(sent.installation, sent.ticket_id, [ANN])
    await sent.installation.execute("UPDATE reply_recipients SET state = 'sent' WHERE state = 'queued'")
    content = report(
        f"Final-Recipient: rfc822; {ANN}\nAction: failed", returned=f"References: <{row['rfc_message_id']}>"
    )
    await sent.installation.accept_message(content, "support", reverse_path="")
    await sent.read()
    bounced = await sent.installation.execute("SELECT reply_id FROM reply_recipients WHERE state = 'bounced'")
    assert [each["reply_id"] for each in bounced] == [newer.id]


async def test_the_bounce_of_an_acknowledgement_reopens_nothing(sent: SentReply) -> None:
    await sent.installation.execute("UPDATE replies SET kind = 'acknowledgement'")
    await sent.bounce(FORMS["Postfix"].build(ANN))
    assert (await sent.states())[ANN][0] == "bounced"
    assert (await sent.status(), await sent.events(), await sent.posts()) == ("waiting", ["reply.bounced"], ["opened"])


async def test_a_bounce_names_the_address_to_which_mail_was_forwarded(sent: SentReply) -> None:
    await sent.bounce(FORMS["Postfix"].build("ann@elsewhere.test"))
    assert (await sent.states())[ANN][2].endswith("(ann@elsewhere.test)")


async def test_tokens_that_are_not_valid(sent: SentReply) -> None:
    token = await sent.token()
    await sent.installation.add_alias("*")
    assert await refusal(sent, f"b-{'a' * 26}") == "unknown"
    found = await sent.installation.resolve(f"{token}@example.com")
    assert found.ticket is None
    assert found.address == "*@example.com"
    async with sent.installation.database.transaction() as transaction:
        await erase_ticket(transaction, sent.ticket_id)
    assert await refusal(sent, f"b-{token}") == "unknown"


async def test_a_blocked_sender_may_report_a_bounce(sent: SentReply) -> None:
    services = sent.installation.services
    await services.blocked_senders.create(sent.installation.actor, sender="@customer.test")
    mailbox = parse_mailbox(bounce_address(await sent.token(), "example.com"))
    cache = sent.installation.core.routing_cache
    assert isinstance(await cache.resolve(mailbox, reverse_path="daemon@customer.test", peer="192.0.2.1"), Target)
    await sent.bounce(mails.plain(subject="Re: Hello"), reverse_path="carla@customer.test")
    assert (await sent.status(), await sent.posts()) == ("waiting", ["opened"])  # the answer of a person is only kept
    await sent.bounce(FORMS["Exchange"].build(ANN), reverse_path="daemon@customer.test")
    assert await sent.status() == "open"


async def test_a_storm_of_bounces_ends(sent: SentReply) -> None:
    target = await sent.target()
    accepted = await asyncio.gather(
        *(
            sent.installation.accept_message(report("Action: failed", text=str(n)), target, reverse_path="")
            for n in range(MAX_BOUNCES + 5)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(each, Unavailable) for each in accepted) == 5
    assert await sent.installation.count_rows("messages", "kind = 'bounce'") == MAX_BOUNCES
    assert await refusal(sent, f"b-{await sent.token(BEN)}") == "unknown"
    await sent.read()
    assert (await sent.events()).count("reply.bounced") == 1
    await assert_nothing_lost(sent)


async def test_a_first_delay_leaves_room_for_the_failure(sent: SentReply) -> None:
    for expected in (0, 1):  # a further delay may be a storm
        await sent.bounce(FORMS["Postfix delay"].build(ANN).replace(b"Subject: ", b"Subject: %d " % expected))
        assert await sent.installation.count_rows("reply_bounces") == expected


async def test_a_ticket_that_was_erased_after_rcpt(sent: SentReply) -> None:
    target = await sent.target()
    async with sent.installation.database.transaction() as transaction:
        await erase_ticket(transaction, sent.ticket_id)
    with pytest.raises(Unavailable):
        await sent.installation.accept_message(report("Action: failed"), target, reverse_path="")
    await assert_nothing_lost(sent)


async def test_one_message_to_tokens_and_aliases(sent: SentReply) -> None:
    """A report opens no ticket, whatever its recipients are."""
    targets: list[Target | str] = [await sent.target(ANN), await sent.target(BEN), "billing", "support"]
    content = FORMS["Postfix"].build(ANN)
    for _ in range(2):  # the second one is a repeat
        await sent.installation.accept_message(content, *targets, reverse_path="")
    await sent.read()
    rows = await sent.installation.execute("SELECT kind, aliases, repeated FROM messages ORDER BY kind, id")
    assert [row["kind"] for row in rows] == ["bounce", "mail", "mail"]
    assert await sent.posts() == ["opened", "reply_bounced"]
    await assert_nothing_lost(sent)


async def test_an_answer_to_a_token_and_to_aliases(sent: SentReply) -> None:
    """It joins its ticket once, and another alias gets the message, too."""
    targets: list[Target | str] = ["support", await sent.target(), sent.installation.target("support", tag="vip")]
    answer = mails.plain(from_=ANN)
    await sent.installation.accept_message(answer, *targets, "billing", reverse_path=ANN)
    await sent.read()
    rows = await sent.installation.execute("SELECT kind, aliases FROM messages WHERE direction = 'inbound' ORDER BY id")
    assert [(row["kind"], row["aliases"]) for row in rows] == [("mail", 1)] * 3
    assert await sent.posts() == ["opened", "opened", "replied"]
    assert await sent.installation.count_rows("tickets") == 2
    await assert_nothing_lost(sent)


async def test_answers_to_a_token_are_not_limited(sent: SentReply) -> None:
    for _ in range(MAX_BOUNCES + 2):
        await sent.bounce(mails.plain(from_=ANN, message_id=mails.new_message_id()), reverse_path=ANN)
    assert await sent.installation.count_rows("messages", "kind = 'mail' AND direction = 'inbound'") == MAX_BOUNCES + 3


@pytest.mark.parametrize("kind", ["message id", "anchor", "tag", "token", "assigned", "soft breaks", "end"])
async def test_a_bounce_at_an_alias_joins_by_what_it_returns(sent: SentReply, kind: str) -> None:
    (row,) = await sent.installation.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
    own_id = str(row["rfc_message_id"])
    ticket = ticket_token(sent.installation.core.box, sent.installation.workspace_id, 1)
    returned = {
        "message id": f"Message-ID: <{own_id.upper()}>",
        "anchor": f"References: <{anchor_id(ticket, 'example.com')}> <other@customer.test>",
        "tag": f"Reply-To: Support <support+{ticket_tag(ticket)}@example.com>",
        "assigned": "Message-ID: <Ab.12@relay.test>",
        "token": f"Return-Path: <{bounce_address(await sent.token(), 'example.com').upper()}>",
        "soft breaks": f"Message-ID: <{own_id[:9]}=\n{own_id[9:20]}=\n{own_id[20:]}>",
        "end": "X: y\n" * 100_000 + f"Message-ID: <{own_id}>",
    }[kind]
    await sent.installation.execute(
        "INSERT INTO sent_message_ids (rfc_message_id, thread_key, ticket_id) VALUES ('Ab.12@relay.test', 'x', :id)",
        id=sent.ticket_id,
    )
    content = report(f"Final-Recipient: rfc822; {ANN}\nAction: failed\nStatus: 5.1.1", returned=returned)
    await sent.installation.accept_message(content, "billing", "support", reverse_path="")
    await sent.read()
    assert (await sent.states())[ANN][:2] == ("bounced", None)
    assert await sent.status() == "open"
    assert len(await sent.installation.all_rows("tickets")) == 1
    assert await sent.posts() == ["opened", "reply_bounced"]
    await assert_nothing_lost(sent)


async def test_a_report_about_a_stranger_changes_nothing(sent: SentReply) -> None:
    (row,) = await sent.installation.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
    content = report(
        "Final-Recipient: rfc822; x@y.test\nAction: failed", returned=f"Message-ID: <{row['rfc_message_id']}>"
    )
    await sent.installation.accept_message(content, "support", reverse_path="")
    await sent.read()
    assert {state for state, *_ in (await sent.states()).values()} == {"sent"}
    assert await sent.status() == "waiting"
    assert await sent.posts() == ["opened", "replied"]  # otherwise nobody would see it
    await assert_nothing_lost(sent)


async def test_ordinary_mail_is_not_scanned(sent: SentReply) -> None:
    (row,) = await sent.installation.execute("SELECT rfc_message_id FROM messages WHERE direction = 'outbound'")
    await sent.installation.accept_message(mails.plain(text=f"See <{row['rfc_message_id']}>"), "support")
    assert len(await sent.installation.all_rows("tickets")) == 2


async def test_a_bounce_of_another_installation_opens_a_ticket(sent: SentReply) -> None:
    returned = f"Message-ID: <er.{'a' * 26}@example.com>\nReferences: <er.t.{'b' * 26}@example.com>"
    await sent.installation.accept_message(report("Action: failed", returned=returned), "support", reverse_path="")
    assert len(await sent.installation.all_rows("tickets")) == 2
    assert await sent.installation.count_rows("bounce_queue") == 0


async def test_two_processes_read_a_bounce_once(sent: SentReply) -> None:
    await sent.installation.accept_message(FORMS["Postfix"].build(ANN), await sent.target(), reverse_path="")
    other = sent.installation.second_process()
    try:
        await asyncio.gather(*(each.core.bounce_runner.read_due() for each in (sent.installation, other)))
    finally:
        await other.close()
    assert await sent.events() == ["reply.bounced", "ticket.reopened"]
    assert await sent.posts() == ["opened", "reply_bounced"]


async def test_an_address_is_undeliverable_after_several_permanent_bounces(sent: SentReply) -> None:
    installation = sent.installation
    for form, expected in (("Postfix after the queue time", []), ("Postfix", []), ("qmail, local", []), ("SES", [ANN])):
        sent.reply = await queue_reply(installation, sent.ticket_id, [ANN])
        for table in ("replies", "reply_recipients"):
            await installation.execute(f"UPDATE {table} SET state = 'sent' WHERE state = 'queued'")
        await sent.bounce(FORMS[form].build(ANN))
        now = installation.clock.now()
        found = await find_undeliverable(installation.database, installation.workspace_id, [ANN, BEN], now)
        assert list(found) == expected
    later = installation.clock.now() + BOUNCE_WINDOW
    assert not await find_undeliverable(installation.database, installation.workspace_id, [ANN, BEN], later)

"""Conversations as mail programs and users create them, through the real accept on both databases.

Each case has split or merged tickets in some helpdesk. A ticket is identified by its number.
"""

from collections.abc import AsyncIterator, Sequence

import pytest

from tests.support.corpus import corpus_mail
from tests.support.installation import Installation, installation_over
from tests.support.stores import Store

EVA = "Eva <eva@customer.test>"
BOB = "Bob <bob@customer.test>"
SUPPORT = "Support <support@example.com>"
MALLORY = "Mallory <mallory@elsewhere.test>"


@pytest.fixture
async def at(store: Store) -> AsyncIterator[Installation]:
    async with installation_over(store) as found:
        yield found


def mail(
    name: str,
    *,
    from_: str = EVA,
    to: str = SUPPORT,
    subject: str = "Broken lamp",
    parent: str = "",
    references: Sequence[str] = (),
    extra: Sequence[str] = (),
) -> bytes:
    """name: the Message-ID's left side, as in parent and references; those of nobody we know are just unknown names."""
    lines = [f"From: {from_}", f"To: {to}", f"Subject: {subject}", f"Message-ID: <{name}@mail.test>", *extra]
    if parent:
        lines.append(f"In-Reply-To: <{parent}@mail.test>")
    if references:
        lines.append("References: " + "\r\n ".join(f"<{one}@mail.test>" for one in references))
    return "\r\n".join([*lines, "", f"Text of {name}.", ""]).encode()


async def tickets_of(at: Installation, *contents: bytes) -> list[int]:
    """Accepts the mails one after the other; for each, the number of its ticket at its first alias."""
    for content in contents:
        await at.mail(content)
    rows = await at.rows(
        "SELECT m.id, min(t.number) AS number FROM messages m JOIN ticket_messages tm ON tm.message_id = m.id "
        "JOIN tickets t ON t.id = tm.ticket_id GROUP BY m.id ORDER BY m.id"
    )
    return [int(str(row["number"])) for row in rows]


async def test_a_conversation_of_several_people(at: Installation) -> None:
    """The desk answers by its own mail program, copied to the alias; a colleague of the customer joins in."""
    found = await tickets_of(
        at,
        mail("ask", extra=[f"Cc: {BOB}"]),
        mail("answer", from_=SUPPORT, to=EVA, parent="ask", references=["ask"]),
        mail("thanks", parent="answer", references=["ask", "answer"]),
        mail("me-too", from_=BOB, parent="thanks", references=["ask", "answer", "thanks"]),
    )
    assert found == [1, 1, 1, 1]


async def test_a_participant_of_the_ticket_may_answer_any_mail_of_it(at: Installation) -> None:
    """Bob was copied in later, and answers the first mail, on which he was not."""
    found = await tickets_of(
        at, mail("ask"), mail("more", parent="ask", extra=[f"Cc: {BOB}"]), mail("late", from_=BOB, parent="ask")
    )
    assert found == [1, 1, 1]


async def test_references_rewritten_by_apple_mail(at: Installation) -> None:
    """Exchange gave the mail a new Message-ID on its way; what Apple Mail answers by is known to nobody here."""
    found = await tickets_of(
        at,
        mail("ask"),
        mail("apple", parent="rewritten-by-exchange", references=["ask", "rewritten-by-exchange"]),
        mail("only-the-oldest", references=["ask", "unknown-1", "unknown-2"]),
        mail("only-in-reply-to", parent="apple"),
    )
    assert found == [1, 1, 1, 1]


async def test_in_reply_to_unknown(at: Installation) -> None:
    assert await tickets_of(at, mail("ask"), mail("other", parent="never-seen-here")) == [1, 2]


async def test_in_reply_to_with_words_around_it(at: Installation) -> None:
    old = ['In-Reply-To: Your message of "Tue, 1 Jan" <ask@mail.test> (Eva\'s message)']
    assert await tickets_of(at, mail("ask"), mail("old-program", extra=old)) == [1, 1]


async def test_a_mail_sent_to_oneself(at: Installation) -> None:
    """A note to the desk from its own address, and the answer to it; a customer's mail is not drawn in."""
    found = await tickets_of(
        at,
        mail("note", from_=SUPPORT, to=SUPPORT),
        mail("answer", from_=SUPPORT, to=SUPPORT, parent="note"),
        mail("ask", from_=EVA),
        mail("wrong", from_=EVA, parent="note"),
    )
    assert found == [1, 1, 2, 3]


async def test_a_message_that_refers_to_itself(at: Installation) -> None:
    assert await tickets_of(at, mail("circle", parent="circle", references=["circle"]), mail("next")) == [1, 2]


async def test_a_newsletter_that_strangers_answer(at: Installation) -> None:
    """It came to the desk too; those who answer it to the desk are neither its sender nor each other."""
    found = await tickets_of(
        at,
        mail("news", from_="Shop <news@shop.test>", extra=["List-Id: <news.shop.test>"]),
        mail("first", from_=EVA, parent="news"),
        mail("second", from_=MALLORY, parent="news"),
        mail("shop", from_="Shop <news@shop.test>", parent="news"),
        mail("first-again", from_=EVA, parent="first", references=["news", "first"]),
    )
    assert found == [1, 2, 3, 1, 2]


async def test_a_new_subject_in_an_old_thread_stays_in_it(at: Installation) -> None:
    found = await tickets_of(at, mail("ask"), mail("new", subject="Something else entirely", parent="ask"))
    assert found == [1, 1]


async def test_the_same_subject_and_sender_join_nothing(at: Installation) -> None:
    assert await tickets_of(at, mail("ask"), mail("again", subject="Re: Broken lamp")) == [1, 2]


async def test_a_shared_in_reply_to_does_not_merge_strangers(at: Installation) -> None:
    """A web form's mails all claim to answer the same mail."""
    found = await tickets_of(
        at,
        mail("one", from_=EVA, parent="template"),
        mail("two", from_=BOB, parent="template"),
        mail("three", from_=MALLORY, parent="one", references=["template", "one"]),
        mail("four", from_=EVA, parent="one", references=["template", "one"]),
    )
    assert found == [1, 2, 3, 1]


async def test_one_message_id_used_by_two_senders(at: Installation) -> None:
    found = await tickets_of(
        at,
        mail("same", from_=EVA),
        mail("same", from_=BOB, subject="Other"),
        mail("answer-of-bob", from_=BOB, parent="same"),
        mail("answer-of-eva", from_=EVA, parent="same"),
    )
    assert found == [1, 2, 2, 1]


async def test_the_newest_reference_wins_where_two_tickets_fit(at: Installation) -> None:
    found = await tickets_of(
        at, mail("a"), mail("b"), mail("c", references=["a", "b"]), mail("d", references=["b", "a"])
    )
    assert found == [1, 2, 2, 1]


async def test_each_alias_has_its_own_conversation(at: Installation) -> None:
    await at.mail(mail("ask"), at.target("support"), at.target("billing"))
    await at.mail(mail("reply", parent="ask"), at.target("billing"))
    await at.mail(mail("reply-2", parent="reply"), at.target("support"))
    rows = await at.rows(
        "SELECT t.address, tm.joined_by FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id "
        "ORDER BY tm.message_id, t.address"
    )
    assert [(row["address"], row["joined_by"]) for row in rows] == [
        ("billing@example.com", ""),
        ("support@example.com", ""),
        ("billing@example.com", "ask@mail.test"),
        ("support@example.com", ""),
    ]


async def test_only_messages_of_persons_reopen_a_ticket(at: Installation) -> None:
    """A list, a CRM or a rule that hands on a person's reply changes nothing about it."""
    await at.mail(mail("ask"))
    for name, header, mark in (
        ("away", "Auto-Submitted: auto-replied", "auto-reply"),
        ("daemon", "Precedence: bulk", "bulk"),
        ("ours", "X-EmailRouter-Mark: 1", "loop"),
        ("list", "List-Id: <x.test>", ""),
        ("rule", "Auto-Submitted: auto-generated", ""),
        ("eva", "X-Anything: 1", ""),
    ):
        await at.set_status("resolved")
        message_id = await at.mail(mail(name, parent="ask", extra=[header]))
        (ticket,) = await at.rows("SELECT status FROM tickets")
        (message,) = await at.rows("SELECT automatic FROM messages WHERE id = :id", id=message_id)
        assert (ticket["status"], message["automatic"]) == ("resolved" if mark else "open", mark), name


async def test_strangers_behind_the_address_of_a_list_stay_apart(at: Installation) -> None:
    """The list put its own address into From; the member's own answer joins, by the list and without it."""
    listed = ["List-Id: <news.mail.test>"]
    news = "via News <news@mail.test>"
    found = await tickets_of(
        at,
        mail("ask", from_=news, extra=[*listed, f"Reply-To: {EVA}"]),
        mail("bob", from_=news, parent="ask", extra=[*listed, f"Reply-To: {BOB}"]),
        mail("eva", from_=news, parent="ask", extra=[*listed, f"Reply-To: {EVA}"]),
        mail("eva-herself", parent="ask"),
    )
    assert found == [1, 2, 1, 1]


async def test_a_forwarded_reply_that_joins_nothing_stays_automatic(at: Installation) -> None:
    """Nor with a null reverse-path, nor a program's by an older reference; a reply at one of two aliases is a reply."""
    await at.mail(mail("ask"))
    listed = ["List-Id: <x.test>"]
    await at.mail(mail("unknown", parent="elsewhere", extra=listed))
    await at.mail(mail("older", parent="elsewhere", references=["ask"], extra=listed))
    generated = ["Auto-Submitted: auto-generated"]
    await at.mail(mail("program", parent="elsewhere", references=["ask"], extra=generated))
    await at.mail(mail("null", parent="ask", extra=listed), reverse_path="")
    await at.mail(mail("two", parent="ask", extra=listed), at.target("billing"), at.target("support"))
    rows = await at.rows("SELECT automatic FROM messages ORDER BY id")
    assert [row["automatic"] for row in rows] == ["", "list", "", "auto-reply", "list", ""]


# --- what programs send (router.mail.automatic), with the mails of tests/corpus


@pytest.mark.parametrize(
    ("name", "mark"),
    [
        ("bounce-report", "bounce"),
        ("bounce-free-form", "bounce"),
        ("out-of-office", "auto-reply"),
        ("mailing-list", "list"),
        ("newsletter", "bulk"),
        ("own-mark", "loop"),
        ("suppress-only", ""),
        ("plain", ""),
    ],
)
async def test_an_automatic_message_is_marked_and_gets_a_ticket(at: Installation, name: str, mark: str) -> None:
    await at.mail(corpus_mail(name))
    (row,) = await at.rows("SELECT automatic FROM messages")
    assert row["automatic"] == mark
    assert len(await at.rows("SELECT id FROM tickets")) == 1
    assert len(await at.rows("SELECT id FROM deliveries")) == 1


@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [
        ("bounce-report", "nobody@customer.example", "550 5.1.1 <nobody@customer.example>: no such user"),
        ("bounce-free-form", "nobody@old.example", "No mailbox here by that name."),
    ],
)
async def test_a_bounce_shows_recipient_and_reason(at: Installation, name: str, address: str, reason: str) -> None:
    message_id = await at.mail(corpus_mail(name), reverse_path="")
    text = (await at.contents.get(message_id)).text
    assert address in text
    assert reason in text


async def test_a_mail_loop_makes_one_ticket_and_no_reply(at: Installation) -> None:
    """A loop needs two who answer. We answer nobody; what comes again with the same octets is not even a new ticket."""
    for _ in range(5):
        await at.mail(corpus_mail("own-mark"))
    assert len(await at.rows("SELECT id FROM tickets")) == 1
    events = await at.rows("SELECT event FROM deliveries")
    assert [row["event"] for row in events] == ["opened"]

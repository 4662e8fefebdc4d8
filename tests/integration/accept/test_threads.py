"""Conversations as mail programs and users create them, through the real accept transaction."""

from collections.abc import AsyncIterator, Sequence

import pytest

from tests.support.corpus import corpus_mail
from tests.support.installation import Installation, seeded_installation
from tests.support.stores import Store

EVA = "Eva <eva@customer.test>"
BOB = "Bob <bob@customer.test>"
SUPPORT = "Support <support@example.com>"
MALLORY = "Mallory <mallory@elsewhere.test>"


@pytest.fixture
async def installation(store: Store) -> AsyncIterator[Installation]:
    async with seeded_installation(store) as found:
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
    """Builds a message. `name`, `parent` and `references` are the parts of Message-IDs before the `@`."""
    lines = [f"From: {from_}", f"To: {to}", f"Subject: {subject}", f"Message-ID: <{name}@mail.test>", *extra]
    if parent:
        lines.append(f"In-Reply-To: <{parent}@mail.test>")
    if references:
        lines.append("References: " + "\r\n ".join(f"<{one}@mail.test>" for one in references))
    return "\r\n".join([*lines, "", f"Text of {name}.", ""]).encode()


async def accept_in_order(installation: Installation, *contents: bytes) -> list[int]:
    """Accepts the messages in this order; returns the lowest ticket number of each message."""
    for content in contents:
        await installation.accept_message(content)
    rows = await installation.execute(
        "SELECT m.id, min(t.number) AS number FROM messages m JOIN ticket_messages tm ON tm.message_id = m.id "
        "JOIN tickets t ON t.id = tm.ticket_id GROUP BY m.id ORDER BY m.id"
    )
    return [int(str(row["number"])) for row in rows]


async def test_a_conversation_of_several_people(installation: Installation) -> None:
    found = await accept_in_order(
        installation,
        mail("ask", extra=[f"Cc: {BOB}"]),
        mail("answer", from_=SUPPORT, to=EVA, parent="ask", references=["ask"]),
        mail("thanks", parent="answer", references=["ask", "answer"]),
        mail("me-too", from_=BOB, parent="thanks", references=["ask", "answer", "thanks"]),
    )
    assert found == [1, 1, 1, 1]


async def test_a_participant_can_reply_to_any_message_of_the_ticket(installation: Installation) -> None:
    """Bob was copied later and replies to the first message."""
    found = await accept_in_order(
        installation,
        mail("ask"),
        mail("more", parent="ask", extra=[f"Cc: {BOB}"]),
        mail("late", from_=BOB, parent="ask"),
    )
    assert found == [1, 1, 1]


async def test_references_rewritten_by_apple_mail(installation: Installation) -> None:
    """Some of the Message-IDs that the replies refer to are unknown."""
    found = await accept_in_order(
        installation,
        mail("ask"),
        mail("apple", parent="rewritten-by-exchange", references=["ask", "rewritten-by-exchange"]),
        mail("only-the-oldest", references=["ask", "unknown-1", "unknown-2"]),
        mail("only-in-reply-to", parent="apple"),
    )
    assert found == [1, 1, 1, 1]


async def test_in_reply_to_unknown(installation: Installation) -> None:
    assert await accept_in_order(installation, mail("ask"), mail("other", parent="never-seen-here")) == [1, 2]


async def test_in_reply_to_with_surrounding_text(installation: Installation) -> None:
    old = ['In-Reply-To: Your message of "Tue, 1 Jan" <ask@mail.test> (Eva\'s message)']
    assert await accept_in_order(installation, mail("ask"), mail("old-program", extra=old)) == [1, 1]


async def test_a_message_from_an_alias_to_itself(installation: Installation) -> None:
    found = await accept_in_order(
        installation,
        mail("note", from_=SUPPORT, to=SUPPORT),
        mail("answer", from_=SUPPORT, to=SUPPORT, parent="note"),
        mail("ask", from_=EVA),
        mail("wrong", from_=EVA, parent="note"),
    )
    assert found == [1, 1, 2, 3]


async def test_a_message_that_refers_to_itself(installation: Installation) -> None:
    assert await accept_in_order(
        installation, mail("circle", parent="circle", references=["circle"]), mail("next")
    ) == [
        1,
        2,
    ]


async def test_strangers_who_reply_to_a_newsletter_stay_apart(installation: Installation) -> None:
    """The alias also received the newsletter."""
    found = await accept_in_order(
        installation,
        mail("news", from_="Shop <news@shop.test>", extra=["List-Id: <news.shop.test>"]),
        mail("first", from_=EVA, parent="news"),
        mail("second", from_=MALLORY, parent="news"),
        mail("shop", from_="Shop <news@shop.test>", parent="news"),
        mail("first-again", from_=EVA, parent="first", references=["news", "first"]),
    )
    assert found == [1, 2, 3, 1, 2]


async def test_a_new_subject_in_an_old_thread_stays_in_it(installation: Installation) -> None:
    found = await accept_in_order(
        installation, mail("ask"), mail("new", subject="Something else entirely", parent="ask")
    )
    assert found == [1, 1]


async def test_the_same_subject_and_sender_join_nothing(installation: Installation) -> None:
    assert await accept_in_order(installation, mail("ask"), mail("again", subject="Re: Broken lamp")) == [1, 2]


async def test_a_shared_in_reply_to_does_not_merge_strangers(installation: Installation) -> None:
    """Two messages of a web form claim to reply to the same message."""
    found = await accept_in_order(
        installation,
        mail("one", from_=EVA, parent="template"),
        mail("two", from_=BOB, parent="template"),
        mail("three", from_=MALLORY, parent="one", references=["template", "one"]),
        mail("four", from_=EVA, parent="one", references=["template", "one"]),
    )
    assert found == [1, 2, 3, 1]


async def test_one_message_id_used_by_two_senders(installation: Installation) -> None:
    found = await accept_in_order(
        installation,
        mail("same", from_=EVA),
        mail("same", from_=BOB, subject="Other"),
        mail("answer-of-bob", from_=BOB, parent="same"),
        mail("answer-of-eva", from_=EVA, parent="same"),
    )
    assert found == [1, 2, 2, 1]


async def test_the_newest_reference_wins_when_two_tickets_match(installation: Installation) -> None:
    found = await accept_in_order(
        installation, mail("a"), mail("b"), mail("c", references=["a", "b"]), mail("d", references=["b", "a"])
    )
    assert found == [1, 2, 2, 1]


async def test_each_alias_has_its_own_conversation(installation: Installation) -> None:
    await installation.accept_message(mail("ask"), installation.target("support"), installation.target("billing"))
    await installation.accept_message(mail("reply", parent="ask"), installation.target("billing"))
    await installation.accept_message(mail("reply-2", parent="reply"), installation.target("support"))
    rows = await installation.execute(
        "SELECT t.address, tm.joined_by FROM ticket_messages tm JOIN tickets t ON t.id = tm.ticket_id "
        "ORDER BY tm.message_id, t.address"
    )
    assert [(row["address"], row["joined_by"]) for row in rows] == [
        ("billing@example.com", ""),
        ("support@example.com", ""),
        ("billing@example.com", "ask@mail.test"),
        ("support@example.com", ""),
    ]


async def test_only_a_persons_message_reopens_a_ticket(installation: Installation) -> None:
    """A person's reply that a list, a CRM or a rule forwards also reopens the ticket."""
    await installation.accept_message(mail("ask"))
    for name, header, mark in (
        ("away", "Auto-Submitted: auto-replied", "auto-reply"),
        ("daemon", "Precedence: bulk", "bulk"),
        ("ours", "X-EmailRouter-Mark: 1", "loop"),
        ("list", "List-Id: <x.test>", ""),
        ("rule", "Auto-Submitted: auto-generated", ""),
        ("eva", "X-Anything: 1", ""),
    ):
        await installation.set_status("resolved")
        message_id = await installation.accept_message(mail(name, parent="ask", extra=[header]))
        (ticket,) = await installation.execute("SELECT status FROM tickets")
        (message,) = await installation.execute("SELECT automatic FROM messages WHERE id = :id", id=message_id)
        assert (ticket["status"], message["automatic"]) == ("resolved" if mark else "open", mark), name


async def test_strangers_behind_the_address_of_a_list_stay_apart(installation: Installation) -> None:
    """The list puts its own address into From."""
    listed = ["List-Id: <news.mail.test>"]
    news = "via News <news@mail.test>"
    found = await accept_in_order(
        installation,
        mail("ask", from_=news, extra=[*listed, f"Reply-To: {EVA}"]),
        mail("bob", from_=news, parent="ask", extra=[*listed, f"Reply-To: {BOB}"]),
        mail("eva", from_=news, parent="ask", extra=[*listed, f"Reply-To: {EVA}"]),
        mail("eva-herself", parent="ask"),
    )
    assert found == [1, 2, 1, 1]


async def test_a_forwarded_reply_that_joins_nothing_stays_automatic(installation: Installation) -> None:
    await installation.accept_message(mail("ask"))
    listed = ["List-Id: <x.test>"]
    await installation.accept_message(mail("unknown", parent="elsewhere", extra=listed))
    await installation.accept_message(mail("older", parent="elsewhere", references=["ask"], extra=listed))
    generated = ["Auto-Submitted: auto-generated"]
    await installation.accept_message(mail("program", parent="elsewhere", references=["ask"], extra=generated))
    await installation.accept_message(mail("null", parent="ask", extra=listed), reverse_path="")
    await installation.accept_message(
        mail("two", parent="ask", extra=listed), installation.target("billing"), installation.target("support")
    )
    rows = await installation.execute("SELECT automatic FROM messages ORDER BY id")
    assert [row["automatic"] for row in rows] == ["", "list", "", "auto-reply", "list", ""]


# --- automatic messages (router.mail.automatic), from tests/corpus


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
async def test_an_automatic_message_is_marked_and_gets_a_ticket(
    installation: Installation, name: str, mark: str
) -> None:
    await installation.accept_message(corpus_mail(name))
    (row,) = await installation.execute("SELECT automatic FROM messages")
    assert row["automatic"] == mark
    assert len(await installation.execute("SELECT id FROM tickets")) == 1
    assert len(await installation.execute("SELECT id FROM deliveries")) == 1


@pytest.mark.parametrize(
    ("name", "address", "reason"),
    [
        ("bounce-report", "nobody@customer.example", "550 5.1.1 <nobody@customer.example>: no such user"),
        ("bounce-free-form", "nobody@old.example", "No mailbox here by that name."),
    ],
)
async def test_a_bounce_shows_recipient_and_reason(
    installation: Installation, name: str, address: str, reason: str
) -> None:
    message_id = await installation.accept_message(corpus_mail(name), reverse_path="")
    text = (await installation.contents.get(message_id)).text
    assert address in text
    assert reason in text


async def test_a_mail_loop_makes_one_ticket_and_no_reply(installation: Installation) -> None:
    for _ in range(5):
        await installation.accept_message(corpus_mail("own-mark"))
    assert len(await installation.execute("SELECT id FROM tickets")) == 1
    events = await installation.execute("SELECT event FROM deliveries")
    assert [row["event"] for row in events] == ["opened"]

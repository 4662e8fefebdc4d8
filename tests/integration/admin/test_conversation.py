"""The pages and timeline of long tickets."""

import pytest

from router.admin.tickets import conversation, timeline
from router.admin.tickets.timeline import Timeline
from tests.support import mails
from tests.support.installation import Installation
from tests.support.refusal import refused_code

FIRST = "<first@customer.test>"


async def long_ticket(installation: Installation, replies: int) -> tuple[str, list[str]]:
    first = await installation.accept_message(mails.plain(message_id=FIRST))
    rest = [await installation.accept_message(mails.reply_to(FIRST, text=f"Answer {n}.")) for n in range(replies)]
    (ticket,) = (await installation.tickets.list(installation.actor)).items
    return ticket.id, [first, *rest]


async def test_a_long_ticket_includes_its_first_and_newest_messages(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(conversation, "MAX_MESSAGES", 4)
    ticket_id, sent = await long_ticket(installation, 6)
    tickets, actor = installation.tickets, installation.actor
    view = await tickets.get(actor, ticket_id)
    assert [one.message.id for one in view.messages] == [sent[0], *sent[-3:]]
    assert view.message_count == 7
    assert all(one.links for one in view.messages)
    older = await tickets.list_messages(actor, ticket_id, cursor=view.next_cursor)
    assert [one.message.id for one in older.items] == sent[3::-1]
    assert older.next_cursor is None

    page = await tickets.list_messages(actor, ticket_id, limit=5)
    assert [one.contents.text for one in page.items] == [f"Answer {n}." for n in (5, 4, 3, 2, 1)]
    page = await tickets.list_messages(actor, ticket_id, limit=5, cursor=page.next_cursor)
    assert [one.message.id for one in page.items] == sent[1::-1]
    assert page.next_cursor is None

    await tickets.notes.add(actor, ticket_id, "Called back.")
    monkeypatch.setattr(conversation, "MAX_MESSAGES", 7)
    view = await tickets.get(actor, ticket_id)
    assert ([one.message.id for one in view.messages], view.next_cursor) == (sent, None)
    assert [event.type for event in view.events] == [
        "ticket.created",
        *["ticket.message_received"] * 6,
        "ticket.note_added",
    ]


async def test_contents_read_for_a_ticket_are_bounded(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket_id, sent = await long_ticket(installation, 6)
    tickets, actor = installation.tickets, installation.actor
    first, newest = [(await tickets.get_message(actor, ticket_id, one)).contents.size for one in (sent[0], sent[-1])]
    monkeypatch.setattr(conversation, "MAX_CONTENT_BYTES", first + 3 * newest)
    view = await tickets.get(actor, ticket_id)
    assert [one.message.id for one in view.messages] == [sent[0], *sent[-3:]]
    found = [one.message.id for one in view.messages]
    cursor = view.next_cursor
    while cursor is not None:
        page = await tickets.list_messages(actor, ticket_id, cursor=cursor)
        assert len(page.items) >= 2
        found += [one.message.id for one in page.items]
        cursor = page.next_cursor
    assert set(found) == set(sent)


async def test_messages_of_other_tickets_are_hidden(installation: Installation) -> None:
    ticket_id, sent = await long_ticket(installation, 1)
    other = await installation.accept_ticket()
    tickets, actor = installation.tickets, installation.actor
    for ticket, message in ((other, sent[0]), (ticket_id, f"msg_{'0' * 26}"), (ticket_id, "nothing")):
        assert await refused_code(tickets.get_message(actor, ticket, message)) == ("not_found", None)
    for cursor in ("AA", "bXNnX3g", "\x00", "ä"):
        refused = await refused_code(tickets.list_messages(actor, ticket_id, cursor=cursor))
        assert refused == ("invalid_request", "cursor")


def summarize_entries(section: Timeline) -> list[tuple[int, str]]:
    return [
        (one.omitted_before, one.event.type if one.excerpt is None else one.excerpt.text) for one in section.entries
    ]


async def test_the_timeline_always_includes_the_first_and_newest_message(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeline, "MAX_ENTRIES", 3)
    monkeypatch.setattr(timeline, "MAX_EXCERPT_LENGTH", 4)
    ticket_id, _ = await long_ticket(installation, 5)
    tickets, actor = installation.tickets, installation.actor
    first = "It does not open any more."
    newest = await tickets.get_timeline(actor, ticket_id)
    assert summarize_entries(newest) == [(0, first), (2, "Answ"), (0, "Answ"), (0, "Answer 4.")]
    assert [entry.excerpt.is_truncated for entry in newest.entries if entry.excerpt] == [False, True, True, False]
    note = "ticket.note_added"
    for _ in range(4):
        await tickets.notes.add(actor, ticket_id, "Called back.")
    newest = await tickets.get_timeline(actor, ticket_id)
    assert summarize_entries(newest) == [(0, first), (4, "Answer 4."), (1, note), (0, note), (0, note)]
    between = await tickets.get_timeline(actor, ticket_id, newest.entries[2].position)
    assert summarize_entries(between) == [(0, first), (3, "Answ"), (0, "Answer 4."), (0, note)]
    oldest = await tickets.get_timeline(actor, ticket_id, between.entries[1].position)
    assert summarize_entries(oldest) == [(0, first), (0, "Answ"), (0, "Answ"), (0, "Answ")]
    assert await refused_code(tickets.get_timeline(actor, ticket_id, "6")) == ("invalid_request", "before")


async def test_replies_are_addressed_to_the_sender_of_the_ticket(installation: Installation) -> None:
    tickets, actor = installation.tickets, installation.actor

    async def reply_addresses(ticket_id: str) -> tuple[str, ...]:
        return (await tickets.get_timeline(actor, ticket_id)).reply_addresses

    ticket_id, _ = await long_ticket(installation, 1)
    assert await reply_addresses(ticket_id) == ("ada@customer.test",)
    colleague = mails.reply_to(FIRST, from_="support@example.com")
    assert await installation.accept_ticket(colleague) == ticket_id
    assert await reply_addresses(ticket_id) == ("ada@customer.test",)

    form = mails.plain(headers={"Reply-To": "Eve <eve@x.test>, SUPPORT@example.com, bob@x.test"})
    assert await reply_addresses(await installation.accept_ticket(form)) == ("eve@x.test", "bob@x.test")
    assert await reply_addresses(
        await installation.accept_ticket(mails.plain(headers={"Reply-To": "support@example.com"}))
    ) == ("ada@customer.test",)
    assert await reply_addresses(await installation.accept_ticket(mails.bounce())) == ()
    await installation.accept_message(mails.mail(sender="", message_id="<nobody@x.test>"), reverse_path="")
    nobody = (await tickets.list(actor)).items[0]
    assert (nobody.from_address, await reply_addresses(nobody.id)) == ("", ())

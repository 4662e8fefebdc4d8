"""Search gives the same results on both databases, for any query."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.filters import TicketFilter
from router.model import Actor
from router.routing.route import Target
from router.search import terms
from tests.support import mails, seeds
from tests.support.corpus import corpus_mail
from tests.support.installation import Installation


def compose(text: str, subject: str = "Hello", from_: str = mails.CUSTOMER) -> bytes:
    return mails.plain(subject=subject, text=text, from_=from_)


async def test_sender_subject_and_text_are_found(installation: Installation) -> None:
    await installation.accept_message(compose("The kettle boils over.", "Kitchen", "Grace Hopper <grace@navy.test>"))
    await installation.accept_message(compose("Nothing boils here.", "Bathroom"))
    assert await installation.search("kettle") == [1]
    assert await installation.search("KITCHEN") == [1]
    assert await installation.search("hopper") == [1]
    assert await installation.search("grace@navy.test") == [1]
    assert await installation.search("boils") == [2, 1]
    assert await installation.search("boils kitchen") == [1]
    assert await installation.search("boils nowhere") == []


async def test_the_last_word_matches_as_a_prefix(installation: Installation) -> None:
    await installation.accept_message(compose("The kettle boils over."))
    assert await installation.search("ket") == [1]
    assert await installation.search("the ket") == [1]
    assert await installation.search("ket the") == []
    assert await installation.search("ket ") == [1]
    assert await installation.search("ket.") == []
    assert await installation.search("ettle") == []


async def test_a_number_matches_words_and_ticket_numbers(installation: Installation) -> None:
    await installation.accept_message(compose("first"))
    await installation.accept_message(compose("order 1 please"))
    assert await installation.search("#1") == [1]
    assert await installation.search("1") == [2, 1]
    assert await installation.search("#3") == []
    assert await installation.search("0001") == [1]


async def test_words_of_many_languages_are_found(installation: Installation) -> None:
    await installation.accept_message(compose("Die Tür klemmt, straße gesperrt."))
    await installation.accept_message(compose("商品の注文を取り消したいです。"))
    await installation.accept_message(compose("ประตูติดขัด"))
    await installation.accept_message(compose("Дверь заклинило"))
    await installation.accept_message(corpus_mail("japanese"))
    assert await installation.search("tur") == [1]
    assert await installation.search("TÜR") == [1]
    assert await installation.search("STRASSE") == [1]
    assert await installation.search("注文") == [2]
    assert await installation.search("注文を取り消し") == [2]
    assert await installation.search("文注") == []
    assert 2 in await installation.search("注")
    assert await installation.search("ติด") == [3]
    assert await installation.search("ДВЕРЬ") == [4]


async def test_a_ticket_is_found_by_the_words_of_all_its_messages(installation: Installation) -> None:
    await installation.accept_message(mails.plain(message_id="<first@customer.test>", text="An anchor."))
    await installation.accept_message(mails.reply_to("<first@customer.test>", text="A buoy."))
    await installation.accept_message(compose("Something else"))
    assert await installation.search("anchor buoy") == [1]
    rows = await installation.execute("SELECT message_id FROM message_contents ORDER BY message_id")
    for row in rows:  # parsing again neither loses nor duplicates words
        await installation.contents.parse(str(row["message_id"]))
    assert await installation.search("anchor buoy") == [1]
    (words,) = {
        str(row["words"]) for row in await installation.execute("SELECT words FROM ticket_search") if "buoy" in str(row)
    }
    assert len(words.split()) == len(set(words.split()))


async def test_quoted_text_is_found(installation: Installation) -> None:
    quoted = "On Tue, 1 Jan 2030 at 12:00, Ada <ada@customer.test> wrote:\n> The anchor is lost.\n"
    await installation.accept_message(mails.reply_to("<unknown@customer.test>", text=f"A buoy.\n\n{quoted}"))
    await installation.accept_message(compose("Something else"))
    assert await installation.search("anchor") == await installation.search("buoy anchor") == [1]


async def test_messages_of_a_ticket_parsed_concurrently_are_all_indexed(installation: Installation) -> None:
    await installation.accept_message(mails.plain(message_id="<first@customer.test>"))
    texts = [f"signal{n}" for n in range(8)]
    ids = [await installation.accept_message(mails.reply_to("<first@customer.test>", text=text)) for text in texts]
    await asyncio.gather(*(installation.contents.parse(message_id) for message_id in ids))
    assert await installation.search(" ".join(texts)) == [1]


async def test_a_search_is_limited_to_the_workspace(installation: Installation) -> None:
    await installation.accept_message(compose("secret"))
    other = await seeds.insert_workspace(installation.store.database, "Other")
    theirs = Target("x@other.test", other, None, "x@other.test", "x@other.test", None)
    await installation.accept_message(compose("secret"), theirs)
    actor = Actor(other, "admin")
    for who in (installation.actor, actor):
        (found,) = (await installation.tickets.list(who, TicketFilter(q="secret"))).items
        assert found.workspace_id == who.workspace_id
        assert (await installation.tickets.list(who, TicketFilter(q=installation.workspace_id))).items == ()


async def test_filters_narrow_a_search(installation: Installation) -> None:
    await installation.accept_message(compose("door"))
    await installation.accept_message(compose("door"), installation.target("billing"))
    await installation.set_status("resolved")
    await installation.accept_message(compose("door"))

    async def found(**wanted: str) -> list[int]:
        page = await installation.tickets.list(installation.actor, TicketFilter.from_query({"q": "door"} | wanted))
        return [ticket.number for ticket in page.items]

    assert await found(status="open") == [3]
    assert await found(status="resolved") == [2, 1]
    assert await found(aliasId=installation.target("billing").alias_id or "") == [2]
    assert await found(assignedTo="user_x") == []
    for none in ("alias_x", "", "a'b", "alias_x' | 'door", "\x00"):
        assert await found(aliasId=none) == []


async def test_search_pages_are_stable_while_messages_arrive(installation: Installation) -> None:
    for n in range(1, 8):
        await installation.accept_message(compose("door"))
        if n == 5:
            await installation.execute("DELETE FROM tickets WHERE number = 2")
    seen: list[int] = []
    cursor = None
    while True:
        page = await installation.tickets.list(installation.actor, TicketFilter(q="door"), limit=2, cursor=cursor)
        seen += [ticket.number for ticket in page.items]
        await installation.accept_message(compose("door"))
        if len(seen) == 4:  # erases the ticket that the cursor encodes
            await installation.tickets.delete(installation.actor, page.items[-1].id)
        cursor = page.next_cursor
        if cursor is None:
            break
    assert seen == [7, 6, 5, 4, 3, 1]


async def test_erasing_a_ticket_removes_it_from_the_index(installation: Installation) -> None:
    await installation.accept_message(compose("door"))
    await installation.accept_message(compose("window"))
    assert await installation.search("door") == [1]
    (ticket,) = (await installation.tickets.list(installation.actor, TicketFilter(q="door"))).items
    await installation.tickets.delete(installation.actor, ticket.id)
    assert await installation.search("door") == []
    assert await installation.search("window") == [2]
    assert len(await installation.execute("SELECT ticket_id FROM ticket_search")) == 1
    if installation.store.kind == "sqlite":
        words = await installation.execute("SELECT rowid FROM ticket_words WHERE ticket_words MATCH 'door'")
        assert words == []
        await installation.execute("INSERT INTO ticket_words (ticket_words, rank) VALUES ('integrity-check', 1)")


async def test_simultaneous_tickets_get_distinct_positions(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terms, "index_position", lambda _: 5)
    for _ in range(4):
        await installation.accept_message(compose("door"))
    assert sorted(await installation.search("door")) == [1, 2, 3, 4]
    rows = await installation.execute("SELECT index_position FROM ticket_search ORDER BY index_position")
    assert [row["index_position"] for row in rows] == [5, 6, 7, 8]


async def test_accepting_a_message_does_not_write_the_index(installation: Installation) -> None:
    await installation.accept_message(compose("door"))
    assert await installation.execute("SELECT ticket_id FROM ticket_search") == []


@pytest.mark.parametrize("q", ["%", "_", "***", '"', "🚪", "\x00", "\ud800", "(", "' OR 1 --"])
async def test_punctuation_alone_finds_nothing(installation: Installation, q: str) -> None:
    await installation.accept_message(compose("door"))
    assert await installation.search(q) == []


@pytest.mark.parametrize("q", ["", " ", "\t\n"])
async def test_a_blank_query_lists_all_tickets(installation: Installation, q: str) -> None:
    await installation.accept_message(compose("door"))
    assert await installation.search(q) == [1]


_WORDS = [
    "door",
    "AND",
    "OR",
    "NOT",
    "NEAR(",
    "words:",
    "-",
    "*",
    '"',
    "'",
    "\\",
    "&",
    "|",
    "!",
    "<->",
    ":*",
    ":A",
    "^",
]
QUESTION = st.one_of(
    st.text(st.characters(codec=None, categories=None), max_size=50),
    st.lists(st.sampled_from(_WORDS), max_size=12).map(" ".join),
    st.lists(st.sampled_from([*_WORDS, "\x00", "ß", "İ", "注文", "1", "#", "_", "é", "ǆ", "ﬁ"]), max_size=12).map(
        "".join
    ),
    st.text(max_size=3).map(lambda piece: piece * 2000),
)


async def test_any_query_text_is_answered(installation: Installation) -> None:
    await installation.accept_message(compose("door AND NOT window 注文"))
    for q in _generate_queries(200):
        assert await installation.search(q) in ([], [1])


def _generate_queries(count: int) -> list[str]:
    """Returns random queries, generated by hypothesis."""
    found: list[str] = []

    @settings(max_examples=count, database=None, suppress_health_check=list(HealthCheck))
    @given(QUESTION)
    def gather(q: str) -> None:
        found.append(q)

    gather()
    return found


@settings(max_examples=300)
@given(st.text(st.characters(codec=None, categories=None), max_size=200))
def test_words_consist_of_letters_and_digits(text: str) -> None:
    for word in terms.text_words(text):
        assert 0 < len(word) <= terms.MAX_WORD_LENGTH
        assert all(character.isalnum() for character in word)
        word.encode()


@settings(max_examples=300)
@given(st.text(max_size=60), st.text(max_size=60))
def test_a_text_contains_the_words_of_each_line(first: str, second: str) -> None:
    both = set(terms.text_words(f"{first}\n{second}"))
    assert {*terms.text_words(first), *terms.text_words(second)} <= both


def test_positions_sort_like_ids() -> None:
    ids = [f"ticket_{n:026d}" for n in range(0, 10**7, 999_999)] + ["ticket_7" + "z" * 25]
    places = [terms.index_position(one) for one in ids]
    assert places == sorted(places)
    assert places[-1] < 2**63


def test_positions_of_different_milliseconds_keep_their_order() -> None:
    last, next_one = (
        terms.index_position(f"ticket_0000000001{'z' * 16}"),
        terms.index_position(f"ticket_0000000002{'0' * 16}"),
    )
    assert next_one - last > 2**14  # leaves positions for tickets whose own position is taken
    assert [last >> terms.SLOT_BITS, next_one >> terms.SLOT_BITS] == [1, 2]


@pytest.mark.parametrize("q", ["ws", "_ws", "nr", "alias", "33", "37", "_nr_1", "ticket"])
async def test_internal_index_terms_cannot_be_searched(installation: Installation, q: str) -> None:
    await installation.accept_message(compose("door"))
    assert await installation.search(q) == []


@pytest.mark.parametrize(
    ("text", "words", "prefix"),
    [
        ("door", "'door':*", True),
        ("door.", "'door'", False),
        ("a", "'a'", False),
        ("door window", "'door' & 'window':*", True),
        ("door window door", "'door' & 'window'", False),
        ("door door", "'door'", False),
        ("12", "('12':* | '_nr_12')", True),
        ("#12", "'_nr_12'", False),
        (" ".join(f"w{n}" for n in range(20)), " & ".join(f"'w{n}'" for n in range(16)), False),
    ],
)
def test_query_terms(text: str, words: str, prefix: bool) -> None:
    asked = terms.parse_query("ws_X", text)
    assert asked is not None
    assert (asked.scope, bool(asked.prefix)) == ("'_ws_x'", prefix)
    assert " & ".join(part for part in (asked.complete, asked.prefix) if part) == words
    of_alias = terms.parse_query("ws_X", text, "alias_1")
    assert of_alias is not None
    assert of_alias.complete.split(" & ")[0] == "'_alias_1'"
    assert of_alias.prefix == asked.prefix

"""Merges of tags that are interrupted, repeated, or run at the same time as other changes."""

import asyncio
from contextlib import suppress

import pytest

from router.admin.tickets import tags as tags_module
from router.admin.tickets.tags import TagService
from router.errors import Refused
from router.filters import TicketFilter
from router.store.migrate import migrate
from tests.support.installation import Installation
from tests.support.postgres import PostgresServer
from tests.support.refusal import refused_code
from tests.support.stores import Store, postgres_database, postgres_store

CONFLICT = ("conflict", "name")


class MergeInterruptedError(Exception):
    pass


async def interrupt(monkeypatch: pytest.MonkeyPatch, change: object) -> None:
    """Lets a change of a tag fail after its first transaction."""

    async def fail(*values: object) -> None:
        raise MergeInterruptedError

    with monkeypatch.context() as patch, suppress(MergeInterruptedError):
        patch.setattr(TagService, "_change_tickets", fail)
        await change  # type: ignore[misc]  # a coroutine


async def tag_ids(installation: Installation, *names: str) -> list[str]:
    return [(await installation.tickets.tags.find(installation.actor, name)).tag.id for name in names]


async def test_an_interrupted_merge_is_finished_by_the_same_request(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    first, second = [await installation.accept_ticket() for _ in range(2)]
    await tags.tag_ticket(actor, first, add=["a", "c", "d"])
    await tags.tag_ticket(actor, second, add=["b"])
    a, b, c, d = await tag_ids(installation, "a", "b", "c", "d")
    await interrupt(monkeypatch, tags.change(actor, a, name="b"))
    for tag_id, name in ((b, "a"), (b, "c"), (a, "c"), (a, "new"), (c, "a")):
        assert await refused_code(tags.change(actor, tag_id, name=name)) == CONFLICT
    assert [tag.name for tag in await tags.tag_ticket(actor, second, add=["A"])] == ["b"]
    assert [tag.name for tag in await tags.tag_ticket(actor, second, add=["a", "c"], remove=["b"])] == ["b", "c"]
    assert (await tags.change(actor, a, name="A", color="#112233")).tag.name == "A"
    assert (await tags.change(actor, b, name="Bees")).tag.id == b
    assert await refused_code(tags.change(actor, a, name="b")) == CONFLICT
    assert (await tags.change(actor, d, name="bees")).tag.id == b
    assert (await tags.change(actor, a, name="bees")).ticket_count == 2
    assert [counted.tag.name for counted in (await tags.list(actor)).items] == ["Bees", "c"]
    assert (await tags.change(actor, c, name="bees")).tag.id == b


async def test_a_merge_is_abandoned_if_its_target_is_deleted(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    ticket_id = await installation.accept_ticket()
    await tags.tag_ticket(actor, ticket_id, add=["a", "b", "c"])
    a, b = await tag_ids(installation, "a", "b")
    await interrupt(monkeypatch, tags.change(actor, a, name="b"))
    await tags.delete(actor, b)
    assert [tag.name for tag in await tags.tag_ticket(actor, ticket_id, remove=["a"])] == ["c"]
    assert [tag.name for tag in await tags.tag_ticket(actor, ticket_id, add=["a"])] == ["a", "c"]
    assert (await tags.change(actor, a, name="new")).tag.id == a
    assert (await tags.change(actor, a, name="c")).ticket_count == 1


async def test_opposite_merges_end(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tags_module, "BATCH_TICKETS", 1)
    tags, actor, second = installation.tickets.tags, installation.actor, installation.second_process()
    tickets = [await installation.accept_ticket() for _ in range(6)]
    try:
        for _ in range(3):
            for n, ticket_id in enumerate(tickets):
                await tags.tag_ticket(actor, ticket_id, add=["ab"[n % 2]])
            a, b = await tag_ids(installation, "a", "b")
            results = await asyncio.gather(
                tags.change(actor, a, name="b"),
                second.tickets.tags.change(actor, b, name="a"),
                return_exceptions=True,
            )
            # None is refused if the merge of `a` ends before the other request begins, which then renames `b`.
            refused = [result for result in results if isinstance(result, BaseException)]
            assert len(refused) <= 1
            assert all(isinstance(error, Refused) and error.code == "conflict" for error in refused)
            (left,) = (await tags.list(actor)).items
            assert left.ticket_count == len(tickets)
            await tags.delete(actor, left.tag.id)
    finally:
        await second.close()


async def test_tickets_change_with_the_tags_that_are_merged_and_deleted(installation: Installation) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    ticket_id = await installation.accept_ticket()
    await tags.tag_ticket(actor, ticket_id, add=["a", "b"])
    a, b = await tag_ids(installation, "a", "b")
    for change in (tags.change(actor, a, name="b"), tags.delete(actor, b)):
        installation.clock.advance(1)
        await change
        assert (await installation.tickets.get(actor, ticket_id)).ticket.updated_at == installation.clock.now()


async def test_a_tag_that_is_added_during_its_deletion_is_removed(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    first, second = [await installation.accept_ticket() for _ in range(2)]
    await tags.tag_ticket(actor, first, add=["a"])
    finish, late = TagService._finish_deletion, [second]

    async def finish_late(*values: object) -> bool:
        while late:
            await tags.tag_ticket(actor, late.pop(), add=["a"])
            installation.clock.advance(1)
        return await finish(*values)  # type: ignore[arg-type]  # its own arguments

    monkeypatch.setattr(TagService, "_finish_deletion", finish_late)
    await tags.delete(actor, *await tag_ids(installation, "a"))
    ticket = (await installation.tickets.get(actor, second)).ticket
    assert (ticket.tags, ticket.updated_at) == ((), installation.clock.now())


async def test_an_id_is_not_the_name_of_another_tag(installation: Installation) -> None:
    tags, actor = installation.tickets.tags, installation.actor
    ticket_id = await installation.accept_ticket()
    await tags.tag_ticket(actor, ticket_id, add=["a"])
    (a,) = await tag_ids(installation, "a")
    await tags.tag_ticket(actor, ticket_id, add=[a])
    assert (await tags.find(actor, a)).tag.name == "a"
    await tags.delete(actor, a)
    assert (await tags.find(actor, a)).tag.name == a
    assert await refused_code(tags.find(actor, "a")) == ("not_found", None)


async def check_order(store: Store) -> None:
    installation = Installation(store)
    await installation.seed()
    try:
        tags, actor = installation.tickets.tags, installation.actor
        ticket_id = await installation.accept_ticket()
        names = ["zebra", "b c", "bc", "a-b", "ab", "a_c", "ß2", "éclair", "\U0001f41e", "\uff5a"]
        expected = [tag.name for tag in await tags.tag_ticket(actor, ticket_id, add=names)]
        assert [tag.name for tag in (await installation.tickets.get(actor, ticket_id)).ticket.tags] == expected
        (listed,) = (await installation.tickets.list(actor, TicketFilter(tag="ab"))).items
        assert [tag.name for tag in listed.tags] == expected
        paged: list[str] = []
        cursor = None
        while len(paged) < len(names):
            page = await tags.list(actor, limit=3, cursor=cursor)
            paged += [counted.tag.name for counted in page.items]
            cursor = page.next_cursor
        assert (paged, cursor) == (expected, None)
    finally:
        await installation.close()


async def test_all_answers_have_the_same_order(store: Store) -> None:
    await check_order(store)


async def test_the_order_does_not_depend_on_the_locale_of_the_database(postgres_server: PostgresServer) -> None:
    url = await postgres_server.create_database(locale="LOCALE_PROVIDER icu ICU_LOCALE 'en-US'")
    database = postgres_database(url)
    await database.open()
    try:
        await migrate(database)
        async with postgres_store(postgres_server) as plain:
            await check_order(Store("postgres", url, plain.catalog, database))
    finally:
        await database.close()
        await postgres_server.drop_database(url)

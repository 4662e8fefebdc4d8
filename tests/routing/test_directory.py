"""The directory over both databases: what it remembers, what it confirms, and how it hears of changes."""

import asyncio

import pytest

from router.errors import Unavailable
from router.mail.address import parse_mailbox
from router.routing.directory import Directory
from router.routing.route import Refusal, Target
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.stores import Store


class World:
    """A directory over a store with one alias, whose questions are counted."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.clock = FakeClock()
        self.asked: list[str] = []
        self.directory = Directory(store.database, self.clock, size=3, hosts=["mx1.host.test"])

    async def build(self, monkeypatch: pytest.MonkeyPatch) -> None:
        database = self.store.database
        self.workspace = await seeds.workspace(database)
        self.domain = await seeds.domain(database, self.workspace)
        self.support = await seeds.alias(database, self.workspace, self.domain, "support")
        everything = database.all

        async def counted(query: str, /, **values: object) -> object:
            self.asked.append(query)
            return await everything(query, **values)

        monkeypatch.setattr(database, "all", counted)

        async def counted_one(query: str, /, **values: object) -> object:
            rows = await counted(query, **values)
            return rows[0] if rows else None  # type: ignore[index]  # a sequence of rows

        monkeypatch.setattr(database, "one", counted_one)

    async def resolve(self, address: str) -> Target | Refusal:
        return await self.directory.resolve(parse_mailbox(address))

    async def changed(self) -> None:
        await seeds.execute(self.store.database, "UPDATE versions SET version = version + 1 WHERE name = 'routes'")


@pytest.fixture
async def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    found = World(store)
    await found.build(monkeypatch)
    return found


async def test_an_exact_hit_is_remembered(world: World) -> None:
    first = await world.resolve("support@example.com")
    asked = len(world.asked)
    assert await world.resolve("support@example.com") == first
    assert len(world.asked) == asked


async def test_a_refusal_is_confirmed_each_time_so_a_new_alias_works_at_once(world: World) -> None:
    assert await world.resolve("new@example.com") == Refusal("unknown")
    await seeds.alias(world.store.database, world.workspace, world.domain, "new")
    assert isinstance(await world.resolve("new@example.com"), Target)


async def test_a_catch_all_hit_is_confirmed_each_time(world: World) -> None:
    await seeds.alias(world.store.database, world.workspace, world.domain, "*")
    found = await world.resolve("new@example.com")
    assert isinstance(found, Target)
    assert found.address == "*@example.com"
    alias = await seeds.alias(world.store.database, world.workspace, world.domain, "new")
    found = await world.resolve("new@example.com")
    assert isinstance(found, Target)
    assert found.alias_id == alias


async def test_a_change_elsewhere_holds_within_the_interval(world: World) -> None:
    assert isinstance(await world.resolve("support@example.com"), Target)
    await seeds.execute(world.store.database, "UPDATE aliases SET status = 'disabled'")
    await world.changed()
    world.clock.advance(0.6)
    assert await world.resolve("support@example.com") == Refusal("disabled")


async def test_a_change_in_this_process_holds_at_once(world: World) -> None:
    assert isinstance(await world.resolve("support@example.com"), Target)
    await seeds.execute(world.store.database, "DELETE FROM aliases")
    world.directory.forget()
    assert await world.resolve("support@example.com") == Refusal("unknown")


async def test_many_who_ask_at_once_are_one_question(world: World) -> None:
    await world.resolve("support@example.com")
    world.asked.clear()
    answers = await asyncio.gather(*(world.resolve("nobody@example.com") for _ in range(50)))
    assert set(answers) == {Refusal("unknown")}
    assert world.asked.count("routing_domain") == 1


async def test_the_cache_is_bounded(world: World) -> None:
    for n in range(5):
        await seeds.alias(world.store.database, world.workspace, world.domain, f"a{n}")
        await world.resolve(f"a{n}@example.com")
    world.asked.clear()
    await world.resolve("a4@example.com")
    assert world.asked == []
    await world.resolve("a0@example.com")
    assert "routing_domain" in world.asked


async def test_pending_foreign_and_other_forms_of_a_name(world: World) -> None:
    await seeds.domain(world.store.database, world.workspace, "xn--bcher-kva.example")
    await seeds.domain(world.store.database, world.workspace, "pending.example", "pending_verification")
    assert await world.resolve("a@elsewhere.example") == Refusal("relay")
    assert await world.resolve("a@pending.example") == Refusal("pending")
    assert await world.resolve("a@b\u00fccher.example") == Refusal("unknown")
    assert await world.resolve("a@B\u00dcCHER.example.") == Refusal("unknown")


async def test_the_hosts_own_postmaster_is_the_first_workspaces(world: World) -> None:
    await seeds.workspace(world.store.database, "Second")
    for address in ("postmaster@mx1.host.test", "Postmaster@MX1.host.test"):
        found = await world.resolve(address)
        assert isinstance(found, Target)
        assert (found.workspace_id, found.alias_id) == (world.workspace, None)
    assert await world.resolve("someone@mx1.host.test") == Refusal("relay")


async def test_no_database_means_no_answer_not_even_a_remembered_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.resolve("support@example.com")

    async def away(*_: object, **__: object) -> object:
        raise Unavailable("away")

    monkeypatch.setattr(world.store.database, "one", away)
    world.clock.advance(1)
    with pytest.raises(Unavailable):
        await world.resolve("support@example.com")


async def test_a_workspace_takes_no_mail_from_those_it_blocked(world: World) -> None:
    async def resolve(
        reverse_path: str, peer: str = "192.0.2.1", *, to: str = "support@example.com"
    ) -> Target | Refusal:
        mailbox = parse_mailbox(to)
        return await world.directory.resolve(mailbox, reverse_path=reverse_path, peer=peer)

    assert isinstance(await resolve("eve@spam.test"), Target)
    for entry in ("eve@spam.test", "@bad.test", "203.0.113.0/24"):
        await seeds.execute(
            world.store.database,
            "INSERT INTO blocked_senders (workspace_id, sender, created_at) VALUES (:workspace, :entry, 1)",
            workspace=world.workspace,
            entry=entry,
        )
    await world.changed()
    world.clock.advance(0.6)
    assert await resolve("Eve@SPAM.test") == Refusal("blocked")
    assert await resolve("any@bad.test") == Refusal("blocked")
    assert await resolve("ann@good.test", "203.0.113.9") == Refusal("blocked")
    assert await resolve("eve@spam.test", to="unknown@example.com") == Refusal("unknown")
    assert isinstance(await resolve("ann@spam.test"), Target)
    assert isinstance(await resolve(""), Target)


async def test_whoever_asks_after_a_change_does_not_share_an_older_answer(world: World) -> None:
    await world.resolve("support@example.com")
    early = asyncio.create_task(world.resolve("new@example.com"))
    await asyncio.sleep(0)  # its question is under way
    await seeds.alias(world.store.database, world.workspace, world.domain, "new")
    world.directory.forget()
    assert isinstance(await world.resolve("new@example.com"), Target)
    await early

"""The directory over both databases: what it remembers, what it confirms, and how it hears of changes."""

import asyncio
from collections.abc import Sequence

import pytest

from router.errors import Unavailable
from router.mail.address import parse_mailbox
from router.routing.route import Refusal, Target
from router.store.database import Row
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.stores import Store


class CountedDirectory:
    """A directory that remembers three targets, and the queries that it ran."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installation = installation
        self.cache = installation.core.routing_cache
        self.clock = installation.clock
        self.asked: list[str] = []
        every = installation.database.fetch_all

        async def counted(query: str, /, **values: object) -> Sequence[Row]:
            self.asked.append(query)
            return await every(query, **values)

        async def counted_one(query: str, /, **values: object) -> Row | None:
            rows = await counted(query, **values)
            return rows[0] if rows else None

        monkeypatch.setattr(installation.database, "fetch_all", counted)
        monkeypatch.setattr(installation.database, "fetch_one", counted_one)

    async def resolve(self, address: str) -> Target | Refusal:
        return await self.cache.resolve(parse_mailbox(address))

    async def add_alias(self, name: str) -> str:
        """An alias; its id."""
        target = await self.installation.add_alias(name)
        assert target.alias_id is not None
        return target.alias_id

    async def changed(self) -> None:
        await self.installation.rows("UPDATE versions SET version = version + 1 WHERE name = 'routes'")


@pytest.fixture
async def counted(store: Store, monkeypatch: pytest.MonkeyPatch) -> CountedDirectory:
    installation = Installation(store, {"smtp.recipient_cache": 3})
    await installation.seed(aliases=["support"])
    return CountedDirectory(installation, monkeypatch)


async def test_an_exact_hit_is_remembered(counted: CountedDirectory) -> None:
    first = await counted.resolve("support@example.com")
    asked = len(counted.asked)
    assert await counted.resolve("support@example.com") == first
    assert len(counted.asked) == asked


async def test_a_refusal_is_confirmed_each_time_so_a_new_alias_works_at_once(counted: CountedDirectory) -> None:
    assert await counted.resolve("new@example.com") == Refusal("unknown")
    await counted.add_alias("new")
    assert isinstance(await counted.resolve("new@example.com"), Target)


async def test_a_catch_all_hit_is_confirmed_each_time(counted: CountedDirectory) -> None:
    await counted.add_alias("*")
    found = await counted.resolve("new@example.com")
    assert isinstance(found, Target)
    assert found.address == "*@example.com"
    alias = await counted.add_alias("new")
    found = await counted.resolve("new@example.com")
    assert isinstance(found, Target)
    assert found.alias_id == alias


async def test_a_change_elsewhere_holds_within_the_interval(counted: CountedDirectory) -> None:
    assert isinstance(await counted.resolve("support@example.com"), Target)
    await counted.installation.rows("UPDATE aliases SET status = 'disabled'")
    await counted.changed()
    counted.clock.advance(0.6)
    assert await counted.resolve("support@example.com") == Refusal("disabled")


async def test_a_change_in_this_process_holds_at_once(counted: CountedDirectory) -> None:
    assert isinstance(await counted.resolve("support@example.com"), Target)
    await counted.installation.rows("DELETE FROM aliases")
    counted.cache.invalidate()
    assert await counted.resolve("support@example.com") == Refusal("unknown")


async def test_many_who_ask_at_once_are_one_question(counted: CountedDirectory) -> None:
    await counted.resolve("support@example.com")
    counted.asked.clear()
    answers = await asyncio.gather(*(counted.resolve("nobody@example.com") for _ in range(50)))
    assert set(answers) == {Refusal("unknown")}
    assert counted.asked.count("routing_domain") == 1


async def test_the_cache_is_bounded(counted: CountedDirectory) -> None:
    for n in range(5):
        await counted.add_alias(f"a{n}")
        await counted.resolve(f"a{n}@example.com")
    counted.asked.clear()
    await counted.resolve("a4@example.com")
    assert counted.asked == []
    await counted.resolve("a0@example.com")
    assert "routing_domain" in counted.asked


async def test_pending_foreign_and_other_forms_of_a_name(counted: CountedDirectory) -> None:
    await seeds.domain(counted.installation.database, counted.installation.workspace_id, "xn--bcher-kva.example")
    await seeds.domain(
        counted.installation.database, counted.installation.workspace_id, "pending.example", "pending_verification"
    )
    assert await counted.resolve("a@elsewhere.example") == Refusal("relay")
    assert await counted.resolve("a@pending.example") == Refusal("pending")
    assert await counted.resolve("a@b\u00fccher.example") == Refusal("unknown")
    assert await counted.resolve("a@B\u00dcCHER.example.") == Refusal("unknown")


async def test_the_hosts_own_postmaster_is_the_first_workspaces(counted: CountedDirectory) -> None:
    await seeds.workspace(counted.installation.database, "Second")
    for address in ("postmaster@mx1.host.test", "Postmaster@MX1.host.test"):
        found = await counted.resolve(address)
        assert isinstance(found, Target)
        assert (found.workspace_id, found.alias_id) == (counted.installation.workspace_id, None)
    assert await counted.resolve("someone@mx1.host.test") == Refusal("relay")


async def test_no_database_means_no_answer_not_even_a_remembered_one(
    counted: CountedDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counted.resolve("support@example.com")

    async def away(*_: object, **__: object) -> object:
        raise Unavailable("away")

    monkeypatch.setattr(counted.installation.database, "fetch_one", away)
    counted.clock.advance(1)
    with pytest.raises(Unavailable):
        await counted.resolve("support@example.com")


async def test_a_workspace_takes_no_mail_from_those_it_blocked(counted: CountedDirectory) -> None:
    async def resolve(
        reverse_path: str, peer: str = "192.0.2.1", *, to: str = "support@example.com"
    ) -> Target | Refusal:
        mailbox = parse_mailbox(to)
        return await counted.cache.resolve(mailbox, reverse_path=reverse_path, peer=peer)

    assert isinstance(await resolve("eve@spam.test"), Target)
    for entry in ("eve@spam.test", "@bad.test", "203.0.113.0/24"):
        await counted.installation.rows(
            "INSERT INTO blocked_senders (workspace_id, sender, created_at) VALUES (:workspace, :entry, 1)",
            workspace=counted.installation.workspace_id,
            entry=entry,
        )
    await counted.changed()
    counted.clock.advance(0.6)
    assert await resolve("Eve@SPAM.test") == Refusal("blocked")
    assert await resolve("any@bad.test") == Refusal("blocked")
    assert await resolve("ann@good.test", "203.0.113.9") == Refusal("blocked")
    assert await resolve("eve@spam.test", to="unknown@example.com") == Refusal("unknown")
    assert isinstance(await resolve("ann@spam.test"), Target)
    assert isinstance(await resolve(""), Target)


async def test_a_question_after_a_change_does_not_share_an_older_answer(counted: CountedDirectory) -> None:
    await counted.resolve("support@example.com")
    early = asyncio.create_task(counted.resolve("new@example.com"))
    await asyncio.sleep(0)  # its question is under way
    await counted.add_alias("new")
    counted.cache.invalidate()
    assert isinstance(await counted.resolve("new@example.com"), Target)
    await early

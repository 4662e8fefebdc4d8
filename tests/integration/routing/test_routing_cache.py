"""What the routing cache caches and queries, and how it detects changes."""

import asyncio
from collections.abc import Awaitable, Sequence

import pytest

from router.errors import Unavailable
from router.mail.address import parse_mailbox
from router.routing.route import Refusal, Target
from router.store.database import Row
from tests.support import seeds
from tests.support.installation import Installation
from tests.support.stores import Store


class RecordingCache:
    """The routing cache of an installation; records the names of its database queries."""

    def __init__(self, installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
        self.installation = installation
        self.cache = installation.core.routing_cache
        self.clock = installation.clock
        self.queries: list[str] = []
        fetch_all = installation.database.fetch_all

        async def fetch_all_and_record(query: str, /, **values: object) -> Sequence[Row]:
            self.queries.append(query)
            return await fetch_all(query, **values)

        async def fetch_one_and_record(query: str, /, **values: object) -> Row | None:
            rows = await fetch_all_and_record(query, **values)
            return rows[0] if rows else None

        monkeypatch.setattr(installation.database, "fetch_all", fetch_all_and_record)
        monkeypatch.setattr(installation.database, "fetch_one", fetch_one_and_record)

    async def resolve(self, address: str) -> Target | Refusal:
        return await self.cache.resolve(parse_mailbox(address))

    async def add_alias(self, name: str) -> str:
        target = await self.installation.add_alias(name)
        assert target.alias_id is not None
        return target.alias_id

    async def mark_changed(self) -> None:
        await self.installation.execute("UPDATE versions SET version = version + 1 WHERE name = 'routes'")


@pytest.fixture
async def routing(store: Store, monkeypatch: pytest.MonkeyPatch) -> RecordingCache:
    installation = Installation(store, {"smtp.recipient_cache": 3, "checks.enabled": True})
    await installation.seed(aliases=["support"])
    return RecordingCache(installation, monkeypatch)


async def test_exact_match_is_cached(routing: RecordingCache) -> None:
    first = await routing.resolve("support@example.com")
    queries = len(routing.queries)
    assert await routing.resolve("support@example.com") == first
    assert len(routing.queries) == queries


async def test_refusal_is_not_cached(routing: RecordingCache) -> None:
    assert await routing.resolve("new@example.com") == Refusal("unknown")
    await routing.add_alias("new")
    assert isinstance(await routing.resolve("new@example.com"), Target)


async def test_catch_all_match_is_not_cached(routing: RecordingCache) -> None:
    await routing.add_alias("*")
    target = await routing.resolve("new@example.com")
    assert isinstance(target, Target)
    assert target.address == "*@example.com"
    alias = await routing.add_alias("new")
    target = await routing.resolve("new@example.com")
    assert isinstance(target, Target)
    assert target.alias_id == alias


async def test_change_by_another_process_takes_effect_within_the_interval(routing: RecordingCache) -> None:
    assert isinstance(await routing.resolve("support@example.com"), Target)
    await routing.installation.execute("UPDATE aliases SET status = 'disabled'")
    await routing.mark_changed()
    routing.clock.advance(0.6)
    assert await routing.resolve("support@example.com") == Refusal("disabled")


async def test_change_in_this_process_takes_effect_immediately(routing: RecordingCache) -> None:
    assert isinstance(await routing.resolve("support@example.com"), Target)
    await routing.installation.execute("DELETE FROM aliases")
    routing.cache.invalidate()
    assert await routing.resolve("support@example.com") == Refusal("unknown")


async def test_concurrent_queries_are_merged(routing: RecordingCache) -> None:
    await routing.resolve("support@example.com")
    routing.queries.clear()
    answers = await asyncio.gather(*(routing.resolve("nobody@example.com") for _ in range(50)))
    assert set(answers) == {Refusal("unknown")}
    assert routing.queries.count("routing_domain") == 1


async def test_cache_size_is_limited(routing: RecordingCache) -> None:
    for n in range(5):
        await routing.add_alias(f"a{n}")
        await routing.resolve(f"a{n}@example.com")
    routing.queries.clear()
    await routing.resolve("a4@example.com")
    assert routing.queries == []
    await routing.resolve("a0@example.com")
    assert "routing_domain" in routing.queries


async def test_pending_foreign_and_unicode_domains(routing: RecordingCache) -> None:
    await seeds.insert_domain(routing.installation.database, routing.installation.workspace_id, "xn--bcher-kva.example")
    await seeds.insert_domain(
        routing.installation.database, routing.installation.workspace_id, "pending.example", "pending_verification"
    )
    assert await routing.resolve("a@elsewhere.example") == Refusal("relay")
    assert await routing.resolve("a@pending.example") == Refusal("pending")
    assert await routing.resolve("a@b\u00fccher.example") == Refusal("unknown")
    assert await routing.resolve("a@B\u00dcCHER.example.") == Refusal("unknown")


async def test_postmaster_of_the_host_belongs_to_the_first_workspace(routing: RecordingCache) -> None:
    await seeds.insert_workspace(routing.installation.database, "Second")
    for address in ("postmaster@mx1.host.test", "Postmaster@MX1.host.test"):
        target = await routing.resolve(address)
        assert isinstance(target, Target)
        assert (target.workspace_id, target.alias_id) == (routing.installation.workspace_id, None)
    assert await routing.resolve("someone@mx1.host.test") == Refusal("relay")


async def test_cached_target_is_unavailable_without_the_database(
    routing: RecordingCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    await routing.resolve("support@example.com")

    async def unavailable(*_: object, **__: object) -> object:
        raise Unavailable("unavailable")

    monkeypatch.setattr(routing.installation.database, "fetch_one", unavailable)
    routing.clock.advance(1)
    with pytest.raises(Unavailable):
        await routing.resolve("support@example.com")


async def test_blocked_senders_are_refused(routing: RecordingCache) -> None:
    async def resolve(
        reverse_path: str, peer: str = "192.0.2.1", *, to: str = "support@example.com"
    ) -> Target | Refusal:
        mailbox = parse_mailbox(to)
        return await routing.cache.resolve(mailbox, reverse_path=reverse_path, peer=peer)

    assert isinstance(await resolve("eve@spam.test"), Target)
    services, actor = routing.installation.services, routing.installation.actor
    await services.blocked_senders.create_many(actor, ["eve@spam.test", "@bad.test", "203.0.113.0/24"])
    await services.blocked_senders.create(actor, "@held.test", action="spam")
    await services.allowed_senders.create(actor, "ann@bad.test")
    routing.clock.advance(0.6)
    assert await resolve("Eve@SPAM.test") == Refusal("blocked")
    assert await resolve("any@bad.test") == Refusal("blocked")
    assert await resolve("ann@good.test", "203.0.113.9") == Refusal("blocked")
    assert await resolve("eve@spam.test", to="unknown@example.com") == Refusal("unknown")
    assert isinstance(await resolve("ann@spam.test"), Target)
    assert isinstance(await resolve(""), Target)
    assert isinstance(await resolve("ann@held.test"), Target), "held as spam later"
    assert isinstance(await resolve("ann@bad.test"), Target), "allowed, if the check authenticates it"
    assert (await routing.cache.get_sender_lists(routing.installation.workspace_id)).size == 5


async def test_sender_lists_are_read_once_for_all_sessions(routing: RecordingCache) -> None:
    def resolve() -> Awaitable[Target | Refusal]:
        return routing.cache.resolve(parse_mailbox("support@example.com"), reverse_path="a@b.test", peer="192.0.2.1")

    await asyncio.gather(*(resolve() for _ in range(20)))
    assert routing.queries.count("sender_lists") == 1
    await routing.mark_changed()
    routing.clock.advance(0.6)
    await resolve()
    assert routing.queries.count("sender_lists") == 2


async def test_query_after_a_change_does_not_share_an_older_answer(routing: RecordingCache) -> None:
    await routing.resolve("support@example.com")
    query = asyncio.create_task(routing.resolve("new@example.com"))
    await asyncio.sleep(0)  # the query is pending now
    await routing.add_alias("new")
    routing.cache.invalidate()
    assert isinstance(await routing.resolve("new@example.com"), Target)
    await query

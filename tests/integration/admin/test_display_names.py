"""Names of users and integrations by id."""

import pytest

from router import ids
from router.admin import display_names
from router.admin.access.users import UserService
from router.admin.display_names import DisplayName, DisplayNameService
from router.clock import SystemClock
from router.model import Actor
from tests.support import seeds
from tests.support.stores import Store


async def test_names_are_resolved_by_id(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    actor, other = [Actor(await seeds.insert_workspace(store.database, name), "admin") for name in ("A", "B")]
    users = UserService(store.database, SystemClock(), base_url="http://dashboard.test")
    ann = (await users.create(actor, email="ann@people.test", name="Ann")).id
    bob = (await users.create(actor, email="bob@people.test")).id
    theirs = (await users.create(other, email="eve@people.test", name="Eve")).id
    integration = await seeds.insert_integration(store.database, actor.workspace_id, name="Support")
    wanted = {
        ann: DisplayName("Ann", "ann@people.test"),
        bob: DisplayName("", "bob@people.test"),
        integration: DisplayName("Support", ""),
    }
    names = DisplayNameService(store.database)
    asked = [ann, None, bob, ann, ids.new_id("user"), theirs, integration]
    assert await names.resolve(actor, asked) == wanted
    assert await names.resolve(other, asked) == {theirs: DisplayName("Eve", "eve@people.test")}
    monkeypatch.setattr(display_names, "QUERY_MAX_IDS", 2)
    assert await names.resolve(actor, asked) == wanted


async def test_ids_are_resolved_with_one_query(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    queries: list[str] = []
    answer = store.database.fetch_all

    async def counted(query: str, /, **values: object) -> object:
        queries.append(query)
        return await answer(query, **values)

    monkeypatch.setattr(store.database, "fetch_all", counted)
    names, actor = DisplayNameService(store.database), Actor("ws_none", "viewer")
    assert await names.resolve(actor, [None]) == {}
    assert queries == []
    assert await names.resolve(actor, [ids.new_id("user") for _ in range(200)]) == {}
    assert queries == ["display_names"]

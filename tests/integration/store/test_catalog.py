"""Every query can be prepared on both databases."""

from contextlib import AsyncExitStack

import pytest

from router.store import catalog
from router.store.sqlite import SqliteDatabase
from tests.support.stores import Store
from tests.support.variants import variants


async def test_every_query_prepares_on_both_databases(store: Store) -> None:
    failures = []
    async with AsyncExitStack() as stack:
        if isinstance(store.database, SqliteDatabase):
            sqlite = await stack.enter_async_context(store.database.raw_transaction(write=False))
        else:
            postgres = await store.database.connect()
            stack.push_async_callback(postgres.close)
        for query in (variant for name in sorted(store.catalog.names()) for variant in variants(store.catalog, name)):
            try:
                if isinstance(store.database, SqliteDatabase):
                    await sqlite.execute_fetchall(f"EXPLAIN {query.sqlite}", dict.fromkeys(query.parameters))
                else:
                    await postgres.prepare(query.postgres)
            except Exception as error:  # noqa: BLE001 - reports the failures of all queries at once
                failures.append(f"{query.name}: {error}")
    assert failures == []


def test_queries_that_write_start_with_their_verb() -> None:
    """Queries that start with SELECT or WITH run on a reader connection, which must not write."""
    found = catalog.load_catalog()
    for query in (variant for name in found.names() for variant in variants(found, name)):
        words = query.sqlite.upper().split()
        if words[0] in ("SELECT", "WITH"):
            assert not {"INSERT", "UPDATE", "DELETE"} & set(words), query.name


def test_an_update_sets_the_given_columns() -> None:
    values = {"id": "ticket_1", "workspace_id": "ws_1", "now": 7, "assigned_to": None, "status": "open"}
    query = catalog.load_catalog().select("ticket_update", values)
    assert " ".join(query.sqlite.split()) == (
        "UPDATE tickets SET status = :status,assigned_to = :assigned_to, updated_at = :now "
        "WHERE id = :id AND workspace_id = :workspace_id"
    )


def test_parameters_are_numbered_in_the_order_of_their_first_use() -> None:
    query = catalog.load_catalog()["routing_aliases"]
    assert query.parameters == ("domain_id", "key", "answered", "base", "catch_all")
    assert "$1" in query.postgres
    assert ":domain_id" in query.sqlite


def test_an_unknown_query_is_named() -> None:
    with pytest.raises(KeyError, match="no query named 'nonsense'"):
        catalog.load_catalog()["nonsense"]

"""Each variant of a list reads the first rows of an index. It scans no table and sorts only rows that LIMIT bounds."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from router.store.catalog import NamedQuery
from router.store.postgres import PostgresDatabase, PostgresExecutor
from router.store.sqlite import SqliteDatabase
from tests.support.stores import Store
from tests.support.variants import variants

LISTS = ("ticket_page", "ticket_page_count", "ticket_page_by_tag", "ticket_page_by_tag_count", "delivery_page")

INDEXED = {"status", "assigned_to"}  # filters that an index contains for all their values, also with others


@pytest.mark.parametrize("name", LISTS)
async def test_lists_neither_sort_nor_scan(store: Store, name: str) -> None:
    database, queries = store.database, variants(store.catalog, name)
    if isinstance(database, SqliteDatabase):
        found = {query.sqlite: await sqlite_problems(database, query) for query in queries}
    else:
        found = await postgres_problems(database, queries)
    assert {query: problems for query, problems in found.items() if problems} == {}


async def sqlite_problems(database: SqliteDatabase, query: NamedQuery) -> list[str]:
    """Returns the steps of the plan that read more than the page.

    Pending deliveries are all read and sorted, because they are few and their index has no order by id.
    """
    async with database.raw_transaction(write=False) as connection:
        values = dict.fromkeys(query.parameters, 1)
        rows = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {query.sqlite}", values)
    details = [str(row["detail"]) for row in rows]
    reads_pending = any("deliveries_pending" in detail for detail in details)
    good = re.compile(
        r"SEARCH [tdp] USING (COVERING )?INDEX .*(id<\?|[ (]id=\?\))|SEARCH p USING INDEX deliveries_pending|"
        r"SEARCH tagged USING PRIMARY KEY \(tag_id"
    )
    return [
        detail
        for detail in details
        if ("TEMP B-TREE" in detail and not reads_pending)
        or (re.match(r"(SCAN|SEARCH) ([tdp]|tagged)\b", detail) and not good.match(detail))
        # reads all tickets, unless it looks up one
        or (re.search(r"tickets_by_workspace .*id[<>]", detail) and not INDEXED.isdisjoint(query.parameters))
    ]


async def postgres_problems(database: PostgresDatabase, queries: Sequence[NamedQuery]) -> dict[str, list[str]]:
    """Returns the problems of each query's plan, by the text of the query."""
    found = {}
    async with database.transaction() as transaction:
        assert isinstance(transaction, PostgresExecutor)
        connection = transaction.connection
        # Small tables would be scanned and sorted.
        for setting in ("enable_seqscan", "enable_sort", "enable_bitmapscan"):
            await connection.execute(f"SET LOCAL {setting} = off")
        for query in queries:
            values = [1 if name == "limit" else "x" for name in query.parameters]
            rows = await connection.fetch(f"EXPLAIN (FORMAT JSON) {query.postgres}", *values)
            found[query.postgres] = list(node_problems(json.loads(rows[0][0])[0]["Plan"]))
    return found


def node_problems(node: dict[str, Any]) -> Iterator[str]:
    if node["Node Type"] == "Seq Scan":
        yield f"scan of {node['Relation Name']}"
    children = node.get("Plans", [])
    if node["Node Type"] in ("Sort", "Incremental Sort") and not any(map(is_bounded, children)):
        yield f"sort by {node['Sort Key']}"
    for child in children:
        yield from node_problems(child)


def is_bounded(node: dict[str, Any]) -> bool:
    """Whether the rows are those of a LIMIT, or of pending deliveries, which are few and have no index by id."""
    if node["Node Type"] == "Limit" or str(node.get("Index Name")).startswith("deliveries_pending"):
        return True
    return any(map(is_bounded, node.get("Plans", [])))

"""Each variant of a list reads the first rows of an index. It scans no table and sorts only rows that LIMIT bounds."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import pytest

from router.filters import TicketFilter
from router.search.sources import possible_sources
from router.store.catalog import Catalog, NamedQuery
from router.store.postgres import PostgresDatabase, PostgresExecutor
from router.store.sqlite import SqliteDatabase
from tests.support.stores import Store
from tests.support.variants import variants

TICKET_LISTS = ("ticket_page", "ticket_page_count", "ticket_page_by_tag", "ticket_page_by_tag_count")
# The values of each filter that selects an index.
FILTERS: Mapping[str, Sequence[Any]] = {
    "status": (None, "open"),
    "priority": (None, "normal", "urgent"),
    "assigned_to": (None, "user_x"),
    "alias_id": (None, "alias_x"),
    "automatic": (None, "only"),
    "spam": (None, "true"),
    "unassigned": (False, True),
    "unresolved": (False, True),
}
INDEXED = {"status", "assigned_to"}  # filters that an index contains for all their values, also with others


@pytest.mark.parametrize("name", [*TICKET_LISTS, "ticket_page_waiting", "delivery_page", "audit_page"])
async def test_lists_neither_sort_nor_scan(store: Store, name: str) -> None:
    database = store.database
    queries = ticket_queries(store.catalog, name) if name.startswith("ticket") else variants(store.catalog, name)
    if isinstance(database, SqliteDatabase):
        found = {query.sqlite: await sqlite_problems(database, query) for query in queries}
    else:
        found = await postgres_problems(database, queries)
    assert {query: problems for query, problems in found.items() if problems} == {}


def ticket_queries(catalog: Catalog, name: str) -> list[NamedQuery]:
    """Returns the variants of a query that lists use."""
    tag = "x" if "by_tag" in name else None
    queries = [
        catalog.select(name, values | order)
        for chosen in product(*FILTERS.values())
        if not (wanted := TicketFilter(tag=tag, **dict(zip(FILTERS, chosen, strict=True)))).is_contradictory
        for values in query_values(name, wanted)
        for order in ({}, {"oldest_first": True, "reverse": True})
    ]
    return list({query.sqlite: query for query in queries}.values())


def query_values(name: str, wanted: TicketFilter) -> Iterator[dict[str, Any]]:
    if name == "ticket_page_waiting":
        yield wanted.parameters() | {"selective": True, "flat": True}
        return
    for source in possible_sources(wanted):
        if name == source.query:
            yield source.parameters(wanted)
        elif name == f"{source.query}_count":
            yield source.parameters()


@pytest.mark.parametrize("name", ["sender_tickets", "sender_counts", "sender_first_ticket"])
async def test_tickets_of_a_sender_are_read_in_the_order_of_their_index(store: Store, name: str) -> None:
    database, query = store.database, store.catalog[name]
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction(write=False) as connection:
            values = dict.fromkeys(query.parameters, 1)
            rows = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {query.sqlite}", values)
        details = {str(row["detail"]) for row in rows}
        assert "SEARCH t USING INDEX tickets_by_sender (workspace_id=? AND spam=? AND <expr>=?)" in details
        assert not [each for each in details if "ORDER BY" in each or each.startswith("SCAN t")]
    else:
        assert (await postgres_problems(database, [query]))[query.postgres] == []


async def test_previews_read_neither_tables_nor_texts(store: Store) -> None:
    """On SQLite, the row of a message's contents has its text before the columns that a preview needs."""
    query = store.catalog["ticket_previews"]
    if not isinstance(store.database, SqliteDatabase):
        assert await postgres_problems(store.database, [query]) == {query.postgres: []}
        return
    async with store.database.raw_transaction(write=False) as connection:
        rows = await connection.execute_fetchall(
            f"EXPLAIN QUERY PLAN {query.sqlite}", dict.fromkeys(query.parameters, 1)
        )
    details = [str(row["detail"]) for row in rows]
    assert [each for each in details if re.match(r"SCAN (?!counted|listed|json_each)", each)] == []
    read = [each for each in details if re.match("SEARCH (c|message_contents) ", each)]
    assert len(read) == 2, details
    assert all("USING COVERING INDEX message_contents_preview" in each for each in read), details


_PENDING_INDEXES = ("deliveries_pending", "deliveries_to_smarthost")


async def sqlite_problems(database: SqliteDatabase, query: NamedQuery) -> list[str]:
    """Returns the steps of the plan that read more than the page.

    Pending deliveries are all read and sorted, because they are few and their index has no order by id.
    """
    async with database.raw_transaction(write=False) as connection:
        values = dict.fromkeys(query.parameters, 1)
        rows = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {query.sqlite}", values)
    details = [str(row["detail"]) for row in rows]
    reads_pending = any(index in detail for detail in details for index in _PENDING_INDEXES)
    good = re.compile(
        r"SEARCH [atdp] USING (COVERING )?INDEX .*(id[<>]\?|[ (]id=\?\))|SEARCH p USING INDEX deliveries_pending|"
        r"SCAN p USING INDEX deliveries_to_smarthost|"
        r"SEARCH tagged USING PRIMARY KEY \(+tag_id|SEARCH t USING INDEX tickets_waiting .* <expr>[<>]\?\)"
    )
    return [
        detail
        for detail in details
        if ("TEMP B-TREE" in detail and not reads_pending)
        or (re.match(r"(SCAN|SEARCH) ([atdp]|tagged)\b", detail) and not good.match(detail))
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
            values = [
                1 if name in ("limit", "since", "max_messages") else "[]" if name == "ids" else "x"
                for name in query.parameters
            ]
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
    if node["Node Type"] == "Limit" or str(node.get("Index Name")).startswith(_PENDING_INDEXES):
        return True
    return any(map(is_bounded, node.get("Plans", [])))

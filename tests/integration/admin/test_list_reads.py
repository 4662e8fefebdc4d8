"""Lists and searches read few tickets if few tickets meet one of their conditions."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import pytest

from router import ids
from router.admin.tickets import list_order
from router.admin.tickets.list_order import ListReader, sort_key
from router.enumerations import TICKET_SORT
from router.filters import TicketFilter
from router.search import scans, sources, terms
from router.search.sources import choose_source
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.stores import Store
from tests.support.work import measure_work

COUNT, LIMIT = 5000, 5
FAR = f"ticket_{'z' * 26}"  # greater than any id
# The conditions of most tickets, and those of a few.
MANY = {"tag": "all", "alias_id": "alias_main", "status": "open", "assigned_to": "user_busy", "priority": "low"}
FEW = {"tag": "rare", "alias_id": "alias_small", "status": "waiting", "assigned_to": "user_new", "priority": "urgent"}
# The maximum work of a request: rows of PostgreSQL's tables, or steps of SQLite's virtual machine. To read all tickets
# takes at least 5000 rows or 25,000 steps.
MAX_ROWS, MAX_STEPS = 500, 12_000


@dataclass
class MeteredDatabase:
    """A database that adds up the work of its queries."""

    store: Store
    work: int = 0

    async def fetch_one(self, query: str, /, **values: object) -> Any:
        self.work += await measure_work(self.store, query, values)
        return await self.store.database.fetch_one(query, **values)

    async def fetch_all(self, query: str, /, **values: object) -> Any:
        self.work += await measure_work(self.store, query, values)
        return await self.store.database.fetch_all(query, **values)


@pytest.fixture
async def workspace(store: Store) -> str:
    """Inserts `COUNT` tickets with the conditions `MANY`, of which `LIMIT` old ones each have another one of `FEW`."""
    workspace_id = await seeds.insert_workspace(store.database)
    tickets, tags, words = [], [], []
    for n in range(COUNT):
        ticket_id = f"{ids.first_id_at('ticket', 40_000_000_000 + n * 60_000)[:-16]}{n:016d}"
        has = MANY | {name: value for k, (name, value) in enumerate(FEW.items()) if n // 10 == k and n % 2 == 0}
        tickets.append(
            f"('{ticket_id}', '{workspace_id}', {n}, '{has['alias_id']}', '', '', '', '', '{has['status']}', "
            f"'{has['priority']}', '{has['assigned_to']}', {n}, 1)"
        )
        tags += [f"('tag_{tag}', '{ticket_id}')" for tag in sorted({"all", has["tag"]})]
        found = terms.ticket_terms(workspace_id, n, has["alias_id"], existing=[], added=["hello"])
        words.append(f"('{ticket_id}', '{workspace_id}', {terms.index_position(ticket_id)}, '{' '.join(found)}')")
    named = [f"('tag_{tag}', '{workspace_id}', '{tag}', '{tag}', '', 1)" for tag in ("all", "rare")]
    for target, rows in (
        ("tags (id, workspace_id, name, name_key, color, created_at)", named),
        (
            "tickets (id, workspace_id, number, alias_id, address, subject, from_address, from_name, status, "
            "priority, assigned_to, received_at, updated_at)",
            tickets,
        ),
        ("ticket_tags (tag_id, ticket_id)", tags),
        ("ticket_search (ticket_id, workspace_id, index_position, words)", words),
    ):
        for start in range(0, len(rows), 400):  # SQLite compiles at most 500 rows of VALUES
            await seeds.execute(store.database, f"INSERT INTO {target} VALUES {', '.join(rows[start : start + 400])}")
    if not isinstance(store.database, SqliteDatabase):  # SQLite works without statistics
        await seeds.execute(store.database, "ANALYZE")
    return workspace_id


@pytest.fixture(autouse=True)
def few_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MAX_COUNTED", 20)
    monkeypatch.setattr(scans, "SCAN_SIZE", 20)


def filters() -> Iterator[TicketFilter]:
    """Yields each combination of a condition that few tickets meet with others that most tickets meet."""
    for rare, value in FEW.items():
        others = [(name, common) for name, common in MANY.items() if name != rare]
        for size in range(len(others) + 1):
            for chosen in combinations(others, size):
                conditions: dict[str, Any] = {rare: value, **dict(chosen)}
                yield TicketFilter(**conditions)


async def test_a_list_reads_the_condition_that_few_tickets_meet(store: Store, workspace: str) -> None:
    limit = MAX_STEPS if isinstance(store.database, SqliteDatabase) else MAX_ROWS
    too_much = {}
    for wanted in filters():
        database: Any = MeteredDatabase(store)
        source = await choose_source(database, workspace, wanted, before=FAR)
        given = source.parameters(wanted)
        rows = await database.fetch_all(source.query, **given, workspace_id=workspace, before=FAR, limit=LIMIT + 1)
        assert len(rows) == LIMIT, wanted
        if database.work > limit:
            too_much[repr(wanted)] = database.work
    assert too_much == {}


async def test_each_order_reads_a_bounded_number_of_tickets(
    store: Store, workspace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(list_order, "MAX_SORTED", 20)
    await seeds.execute(store.database, "UPDATE tickets SET assigned_to = NULL, automatic = 'list' WHERE number < 12")
    limit = 2 * (MAX_STEPS if isinstance(store.database, SqliteDatabase) else MAX_ROWS)
    too_much = {}
    for conditions in (
        *({}, {"alias_id": "alias_small"}, {"tag": "rare"}, {"assigned_to": "user_new"}, {"priority": "urgent"}),
        *({"unassigned": True}, {"unassigned": True, "priority": "low"}, {"unassigned": True, "status": "open"}),
        *({"automatic": "only"}, {"automatic": "only", "tag": "all"}, {"unresolved": True, "assigned_to": "user_new"}),
    ):
        wanted = TicketFilter(**conditions)
        for sort in TICKET_SORT.values:
            database: Any = MeteredDatabase(store)
            reader = ListReader(database, workspace, wanted)
            first = await reader.read(sort, None, limit=LIMIT)
            assert len(first) == LIMIT, (wanted, sort)
            (second,) = await reader.read(sort, sort_key(first[0]), limit=1)
            (again,) = await reader.read(sort, sort_key(second), limit=1, backwards=True)
            assert (second, again) == (first[1], first[0])
            if database.work > limit:
                too_much[repr(wanted), sort] = database.work
    assert too_much == {}


async def test_a_search_reads_no_more_than_its_budget(store: Store, workspace: str) -> None:
    limit = 10 * MAX_STEPS if isinstance(store.database, SqliteDatabase) else 4 * MAX_ROWS
    for wanted in (
        TicketFilter(q="hello.", tag="rare"),
        TicketFilter(q="hello.", tag="rare", status="open"),
        TicketFilter(q="hello.", tag="all", status="waiting"),
        TicketFilter(q="hello.", tag="all", alias_id="alias_small"),
        TicketFilter(q="hello.", priority="low", alias_id="alias_small"),
        TicketFilter(q="hello.", tag="all", priority="normal", status="open"),  # matches nothing
    ):
        database: Any = MeteredDatabase(store)
        await scans.find(database, workspace, wanted, before=FAR, limit=LIMIT, budget=250)
        assert database.work <= limit, wanted


async def test_a_list_of_tags_counts_a_bounded_number_of_tickets(store: Store, workspace: str) -> None:
    values = {"workspace_id": workspace, "after": "", "limit": LIMIT, "max_counted": 20}
    limit = MAX_STEPS if isinstance(store.database, SqliteDatabase) else MAX_ROWS
    assert await measure_work(store, "tag_page", values) <= limit

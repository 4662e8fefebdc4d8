"""Every strategy of the incremental search returns the same tickets as a full scan."""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from router import ids
from router.admin.tickets import lists
from router.admin.tickets.conversation import ConversationReader
from router.admin.tickets.tickets import TicketService
from router.contents.store import ContentStore
from router.enumerations import TICKET_STATUS
from router.filters import TicketFilter
from router.model import Actor
from router.search import scans, sources, terms
from router.store.database import Statement
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.clock import FakeClock
from tests.support.installation import Installation
from tests.support.stores import Store, sqlite_store

# Workspace ids with the same last four characters. The range terms of the PostgreSQL index contain only these.
OURS, THEIRS = f"ws_{'0' * 25}1", f"ws_{'1' * 22}0001"
ALIASES, ASSIGNEES = ("alias_a", "alias_b", None), ("user_a", "user_b", None, None)
TAGS = {"Billing": 0.5, "Straße": 0.05}  # how many tickets have each tag
# Milliseconds between two tickets: from 0 to 300 days.
INTERVALS_MS = (0, 0, 1, 1, 40, 5_000, 3_600_000, 86_400_000, 300 * 86_400_000)
QUERIES = ["hello", "hel", "hello.", "door", "door.", "do", "kettle", "anchor.", "anch", "nobody", "12", "7", "#9"]
QUERIES += ("hello door", "anchor kettle.", "kettle door", "hello ord", "order anchor hello.", "hello nobody")


@dataclass(frozen=True)
class KnownTicket:
    """A stored ticket; `words` is None if its message is not parsed yet."""

    workspace: str
    id: str
    number: int
    spam: int
    status: str
    alias_id: str | None
    assigned_to: str | None
    words: frozenset[str] | None
    tags: frozenset[str]

    def matches(self, wanted: TicketFilter) -> bool:
        """Implements the search without an index, as a reference."""
        asked = (wanted.status, wanted.alias_id, wanted.assigned_to)
        have = (self.status, self.alias_id, self.assigned_to)
        if any(one is not None and one != other for one, other in zip(asked, have, strict=True)):
            return False
        if wanted.spam != "all" and (wanted.spam == "true") is not bool(self.spam):
            return False
        if wanted.unassigned and (self.assigned_to is not None or self.status == "resolved"):
            return False
        if wanted.tag is not None and wanted.tag.casefold() not in {tag.casefold() for tag in self.tags}:
            return False
        if wanted.q is None or self.words is None:
            return wanted.q is None
        if wanted.q.startswith("#"):
            return self.number == int(wanted.q[1:])
        *whole, last = wanted.q.rstrip(".").split()
        only_begun = len(last) > 1 and not wanted.q.endswith(".")
        found = any(word.startswith(last) for word in self.words) if only_begun else last in self.words
        return (self.words.issuperset(whole) and found) or (wanted.q.isdigit() and self.number == int(wanted.q))


class CountingDatabase:
    """A database that counts its `fetch_all` queries by name."""

    def __init__(self, database: Any) -> None:
        self._database = database
        self.query_counts: Counter[str] = Counter()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch_all(self, query: str, /, **values: object) -> Any:
        self.query_counts[query] += 1
        return await self._database.fetch_all(query, **values)


class Archive:
    """Tickets of any age, inserted directly; some belong to another workspace."""

    def __init__(self, store: Store, contents: ContentStore, rng: random.Random) -> None:
        self.store = store
        self.database: Any = CountingDatabase(store.database)
        self.tickets = TicketService(self.database, FakeClock(), ConversationReader(self.database, contents))
        self.rng = rng
        self.known_tickets: list[KnownTicket] = []  # the tickets of the workspace `OURS`, oldest first
        self.moment = 40 * 365 * 86_400_000
        self.numbers = {OURS: 0, THEIRS: 0}
        self.incomplete_pages = 0

    def _new_ticket(self, workspace: str, interval: int | None = None) -> KnownTicket:
        rng = self.rng
        self.moment += rng.choice(INTERVALS_MS) if interval is None else interval
        number = self.numbers[workspace] = self.numbers[workspace] + 1
        words = {word for word, part in (("hello", 0.9), ("door", 0.4), ("order", 0.3)) if rng.random() < part}
        # `anchor` occurs only in the 59 oldest tickets of a workspace. `kettle` is rare.
        words |= {"anchor"} if number < 60 and rng.random() < 0.8 else set()
        words |= {rng.choice(("kettle", "doorbell", "12", "7", "anchored"))} if rng.random() < 0.1 else set()
        tail = "".join(rng.choices("0123456789abcdefghjkmnpqrstvwxyz", k=16))
        return KnownTicket(
            workspace,
            ids.first_id_at("ticket", self.moment)[:-16] + tail,
            number,
            int(rng.random() < 0.3),
            rng.choice(TICKET_STATUS.values),
            rng.choice(ALIASES),
            rng.choice(ASSIGNEES),
            None if rng.random() < 0.05 else frozenset(words),
            frozenset(tag for tag, part in TAGS.items() if rng.random() < part),
        )

    async def _write(self, tickets: Sequence[KnownTicket]) -> None:
        await seeds.execute_many(
            self.store.database,
            "INSERT INTO tickets (id, workspace_id, number, alias_id, address, subject, from_address, from_name, "
            "spam, status, assigned_to, received_at, updated_at) VALUES (:id, :workspace, :number, "
            "CAST(:alias_id AS TEXT), '', '', '', '', :spam, :status, CAST(:assigned_to AS TEXT), 1, 1)",
            [asdict(ticket) for ticket in tickets],
        )
        await seeds.execute_many(
            self.store.database,
            "INSERT INTO ticket_tags (tag_id, ticket_id) SELECT id, :ticket FROM tags "
            "WHERE workspace_id = :workspace AND name = :name",
            [
                {"ticket": ticket.id, "workspace": ticket.workspace, "name": tag}
                for ticket in tickets
                for tag in ticket.tags
            ],
        )
        indexed = []
        for ticket in tickets:
            if ticket.words is not None:
                key = {"ticket_id": ticket.id, "workspace_id": ticket.workspace}
                own = (ticket.workspace, ticket.number, ticket.alias_id)
                words = terms.ticket_terms(*own, is_spam=ticket.spam > 0, existing=[], added=sorted(ticket.words))
                indexed.append(key | {"index_position": terms.index_position(ticket.id), "words": " ".join(words)})
        await self.store.database.execute_statement(Statement("search_upsert", indexed))
        self.known_tickets += [ticket for ticket in tickets if ticket.workspace == OURS]

    async def add_many(self, count: int) -> None:
        """Adds tickets; about three of four belong to the workspace `OURS`."""
        await self._write([self._new_ticket(self.rng.choice((OURS, OURS, OURS, THEIRS))) for _ in range(count)])

    async def add_simultaneous(self, count: int) -> None:
        """Adds tickets of one millisecond to the workspace `OURS`."""
        await self._write([self._new_ticket(OURS, interval=0) for _ in range(count)])

    async def read_all_pages(self, wanted: TicketFilter, limit: int, *, max_pages: int = 1000) -> list[str]:
        seen: list[str] = []
        cursor = None
        for _ in range(max_pages):
            page = await self.tickets.list(Actor(OURS, "admin"), wanted, limit=limit, cursor=cursor)
            seen += [ticket.id for ticket in page.items]
            cursor = page.next_cursor
            if cursor is None:
                return seen
            assert page.is_incomplete == (len(page.items) < limit)
            self.incomplete_pages += page.is_incomplete
        raise AssertionError("the list does not end")

    def expected(self, wanted: TicketFilter, known: Sequence[KnownTicket]) -> list[str]:
        return sorted((ticket.id for ticket in known if ticket.matches(wanted)), reverse=True)

    def add_random_filters(self, q: str) -> TicketFilter:
        rng = self.rng
        status = rng.choice((None, None, None, *TICKET_STATUS.values))
        return TicketFilter(
            q=q,
            status=status,
            assigned_to=rng.choice((None, None, "user_a", "user_x")),
            alias_id=rng.choice((None, None, "alias_a", "alias_x")),
            tag=rng.choice((None, None, "billing", "STRASSE", "none")),
            spam=rng.choice((None, None, "true", "all")),
        )


@asynccontextmanager
async def archive(store: Store, seed: int) -> AsyncIterator[Archive]:
    installation = Installation(store)
    for workspace in (OURS, THEIRS):
        await seeds.execute(
            store.database, "INSERT INTO workspaces (id, name, created_at) VALUES (:id, 'x', 1)", id=workspace
        )
        for tag in TAGS:
            await seeds.execute(
                store.database,
                "INSERT INTO tags (id, workspace_id, name, name_key, color, created_at) "
                "VALUES (:id, :workspace, :name, :key, '', 1)",
                id=ids.new_id("tag"),
                workspace=workspace,
                name=tag,
                key=tag.casefold(),
            )
    try:
        yield Archive(store, installation.contents, random.Random(seed))
    finally:
        await installation.close()


@pytest.fixture
def short_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reduces the bounds of the search, so that a search of few tickets takes several steps."""
    bounds = {
        "FIRST_SCAN_PAGES": 1,
        "SCAN_SIZE": 4,
        "TARGET_PAGES": 1,
        "MAX_TARGET": 4,
        "EXCESS_FACTOR": 2,
        "WINDOW_DIVISOR": 3,
        "GROWTH": 3,
        "PREFIX_GROWTH": 9,
        "PREFIX_EXCESS": 1,
    }
    for name, value in bounds.items():
        monkeypatch.setattr(scans, name, value)


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("seed", range(3))
async def test_a_search_returns_the_same_tickets_as_a_full_scan(store: Store, seed: int) -> None:
    async with archive(store, seed) as tickets:
        await tickets.add_many(120)
        for q in QUERIES:
            for wanted in (TicketFilter(q=q), tickets.add_random_filters(q), tickets.add_random_filters(q)):
                found = await tickets.read_all_pages(wanted, tickets.rng.choice((1, 2, 3, 10)))
                assert found == tickets.expected(wanted, tickets.known_tickets), wanted
        assert {"search_match_tickets", "search_window"} <= tickets.database.query_counts.keys()


@pytest.mark.usefixtures("short_steps")
@pytest.mark.parametrize("seed", range(3))
async def test_incomplete_pages_contain_together_the_same_tickets_as_a_full_scan(
    store: Store, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with archive(store, seed) as tickets:
        await tickets.add_many(120)
        for q in QUERIES:
            for wanted in (TicketFilter(q=q), tickets.add_random_filters(q), tickets.add_random_filters(q)):
                monkeypatch.setattr(lists, "SEARCH_BUDGET", tickets.rng.choice((1, 150, 400)))
                found = await tickets.read_all_pages(wanted, tickets.rng.choice((1, 2, 3, 10)))
                assert found == tickets.expected(wanted, tickets.known_tickets), wanted
        assert tickets.incomplete_pages > len(QUERIES)


async def test_a_search_reads_no_more_than_its_budget_and_one_scan(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "SCAN_SIZE", 10)
    monkeypatch.setattr(scans, "FIRST_SCAN_PAGES", 1)
    async with archive(store, 9) as tickets:
        await tickets.add_many(300)
        wanted = TicketFilter(q="hello.", assigned_to="user_a", status="open", alias_id="alias_a")
        matching = tickets.expected(wanted, tickets.known_tickets)
        for budget in (1, 250, 10_000):
            tickets.database.query_counts.clear()
            found = await scans.find(
                tickets.database, OURS, wanted, before=f"ticket_{'z' * 26}", limit=len(matching) + 1, budget=budget
            )
            counts = tickets.database.query_counts
            assert counts["ticket_page"] + counts["search_window"] <= 1 + budget // scans.SCAN_COST
            kept = [ticket for ticket in matching if found.searched_to is None or ticket >= found.searched_to]
            assert [ticket.id for ticket in found.tickets] == kept
        assert found.searched_to is None


@pytest.mark.parametrize("max_counted", [1, 10, 1000])
async def test_lists_by_tag_return_the_same_tickets_as_a_full_scan(
    store: Store, max_counted: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_COUNTED", max_counted)
    async with archive(store, max_counted) as tickets:
        await tickets.add_many(120)
        for tag in ("billing", "BILLING ", "straSSe", "none", "\u0301"):
            assert await tickets.read_all_pages(TicketFilter(tag=tag), 200) == tickets.expected(
                TicketFilter(tag=tag.strip()), tickets.known_tickets
            )
        for _ in range(60):
            wanted = replace(tickets.add_random_filters(""), q=None, unassigned=tickets.rng.random() < 0.3)
            found = await tickets.read_all_pages(wanted, tickets.rng.choice((1, 2, 3, 10)))
            assert found == tickets.expected(wanted, tickets.known_tickets), wanted


async def test_a_search_with_default_bounds(store: Store) -> None:
    async with archive(store, 77) as tickets:
        await tickets.add_many(100)
        for wanted in (TicketFilter(q=q) for q in QUERIES):
            for limit in (1, 7, 200):
                found = await tickets.read_all_pages(wanted, limit)
                assert found == tickets.expected(wanted, tickets.known_tickets), (wanted, limit)


@pytest.mark.usefixtures("short_steps")
async def test_search_pages_are_stable_while_tickets_are_added_and_erased(store: Store) -> None:
    async with archive(store, 5) as tickets:
        await tickets.add_many(80)
        for q in ("hello.", "door", "anchor"):
            wanted, known = TicketFilter(q=q), list(tickets.known_tickets)
            seen: list[str] = []
            cursor = None
            while True:
                page = await tickets.tickets.list(Actor(OURS, "admin"), wanted, limit=3, cursor=cursor)
                seen += [ticket.id for ticket in page.items]
                cursor = page.next_cursor
                if cursor is None:
                    break
                await tickets.add_many(3)
                await tickets.tickets.delete(Actor(OURS, "admin"), seen[-1])  # the ticket that the cursor encodes
                tickets.known_tickets = [ticket for ticket in tickets.known_tickets if ticket.id != seen[-1]]
            assert seen == tickets.expected(wanted, known)


@pytest.mark.usefixtures("short_steps")
async def test_a_window_with_too_many_matches_is_shortened(store: Store) -> None:
    """Forty tickets of one millisecond exceed the match limit of every window, so a list scan reads them."""
    async with archive(store, 6) as tickets:
        await tickets.add_many(10)
        tickets.moment += 365 * 86_400_000
        await tickets.add_simultaneous(40)
        tickets.moment += 365 * 86_400_000
        await tickets.add_many(10)
        for q in ("hello.", "hello", "anchor."):
            assert await tickets.read_all_pages(TicketFilter(q=q), 2) == tickets.expected(
                TicketFilter(q=q), tickets.known_tickets
            )


async def test_sqlite_search_uses_its_indexes(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as store:
        assert isinstance(store.database, SqliteDatabase)
        for name in ("search_window", "search_match_tickets", "search_oldest", "search_unindexed"):
            query = store.catalog[name]
            asked = terms.parse_query(OURS, "hello").to_json()  # type: ignore[union-attr]  # the query has a word
            values = dict.fromkeys(query.parameters, 1) | {"criteria": asked, "ids": "[]"}
            async with store.database.raw_transaction(write=False) as connection:
                rows = await connection.execute_fetchall(f"EXPLAIN QUERY PLAN {query.sqlite}", values)
            plan = [str(row["detail"]) for row in rows]
            tables = ("tickets", "ticket_search", "messages", "message_contents", "t", "s", "m", "c")
            assert not [line for line in plan if line.split()[:2] in [["SCAN", one] for one in tables]], (name, plan)

"""What a list of the API costs when there is much: `python -m bench.api [sqlite] [postgres] [--tickets N] [--plans]`.

1,000,000 tickets with a delivery each on PostgreSQL, 100,000 on SQLite, written by SQL; then every list, with its
filters, from deep inside and by search, asked of the started program one request at a time. Prints the milliseconds
of each (median, p99), what is over the target of 50 ms, and with `--plans` the query plan behind each. Mails
themselves are left out: no list reads them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from api.resources import ROUTES
from bench.installation import KINDS, Installation, Kind, installed
from router.admin import paging
from router.admin.keys import Keys
from router.admin.users import Users
from router.clock import SystemClock
from router.model import Actor
from router.store import catalog
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.api.desk import config, served
from tests.support.process import Program
from tests.support.stores import Store

TICKETS = {"sqlite": 100_000, "postgres": 1_000_000}
TARGET = 50.0
TIMES = 100

# Of 1000 tickets: 900 at the first alias, 95 at the second, the rest at others; the newest 20,000 are mostly open, of
# the older ones all but a few are resolved. A quarter are somebody's; one agent has most of these.
_STATUS = """CASE WHEN n % 9973 = 0 THEN 'waiting' WHEN n % 997 = 0 THEN 'in_progress'
    WHEN n > {count} - 20000 AND n % 3 <> 0 OR n % 4999 = 0 THEN 'open' ELSE 'resolved' END"""
_ALIAS = "CASE WHEN n % 1000 < 900 THEN 0 WHEN n % 1000 < 995 THEN 1 ELSE 2 + n % 997 END"
_ASSIGNEE = "CASE WHEN n % 400 = 1 THEN 1 + n % 49 WHEN n % 4 = 1 THEN 0 END"
# A million words that few tickets have, and some that many or all of them have.
_WORDS = """'{scope} nr_' || n || ' hello customer' || CASE WHEN n % 10 = 0 THEN ' invoice' ELSE '' END
    || CASE WHEN n % 150 = 0 THEN ' printer' ELSE '' END || CASE WHEN n % 2000 = 0 THEN ' refund' ELSE '' END
    || ' a' || (n % 97) || ' b' || (n % 991) || ' c' || (n % 9973) || ' d' || (n % 99991) || ' order' || n"""


@dataclass
class Big:
    """A filled installation: how many tickets, and ids to ask for."""

    made: Installation
    key: str
    count: int
    users: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    integrations: list[str] = field(default_factory=list)

    def cases(self) -> dict[str, Sequence[str]]:
        """The query strings that each list is asked with."""
        ticket, delivery = _id("ticket", self.count // 10), _id("dlv", self.count // 10)
        deep = f"cursor={paging.encode(ticket)}"
        busy, other = self.users[0], self.users[7]
        main, small = self.aliases[0], self.aliases[9]
        statuses = ("open", "in_progress", "waiting", "resolved")
        by_status = [f"status={status}" for status in statuses]
        questions = ("hello", "invoice", "printer", "refund", "order77", "hel", f"{self.count // 2}", "nobodywrote")
        searches = [f"q={words}" for words in (*questions, "hello%20invoice", "invoice%20refund")]
        return {
            "/emails/tickets": [
                *("", "limit=200", deep, f"limit=200&{deep}", *by_status, *(f"{one}&{deep}" for one in by_status)),
                *(f"aliasId={main}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in by_status))),
                *(f"aliasId={small}{more}" for more in ("", *(f"&{one}" for one in by_status))),
                *(f"assignedTo={busy}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in by_status))),
                *(f"assignedTo={busy}&aliasId={small}{more}" for more in ("", "&status=open", "&status=resolved")),
                *(f"assignedTo={other}", f"assignedTo={other}&aliasId={main}&status=resolved"),
                *(searches + [f"{one}&{deep}" for one in searches]),
                *(f"{one}&status=waiting" for one in searches[:4]),
                *(f"{one}&aliasId={small}&assignedTo={busy}" for one in searches[:4]),
            ],
            "/emails/tickets/mine": ["", deep, *by_status],
            "/emails/tickets/unassigned": ["", deep],
            "/deliveries": [
                *("", "limit=200", f"cursor={paging.encode(delivery)}"),
                *(f"state={state}" for state in ("pending", "delivered", "dead")),
                *(
                    f"integrationId={integration}{more}"
                    for integration in (self.integrations[0], self.integrations[3])
                    for more in ("", "&state=pending", "&state=delivered", "&state=dead")
                ),
                f"ticketId={ticket}",
            ],
            "/aliases": ["", "limit=200", f"cursor={paging.encode(self.aliases[100])}"],
            "/audit": ["", "limit=200", f"cursor={paging.encode(_id('evt', 1000))}"],
            **{
                f"/{noun}": ["", "limit=200"]
                for noun in ("domains", "integrations", "users", "keys", "blocked-senders")
            },
        }


def _id(prefix: str, number: int) -> str:
    """As the SQL below writes it."""
    return f"{prefix}_01{number:024x}"


async def filled(made: Installation, count: int) -> Big:
    """Writes everything; the database is closed afterwards."""
    database = made.database()
    await database.open()
    try:
        actor, clock = Actor(made.workspace_id, "admin"), SystemClock()
        users, keys = Users(database, clock), Keys(database, clock)
        people = [(await users.create(actor, email=f"a{n}@example.org", role="admin")).id for n in range(50)]
        key = (await keys.create(actor, name="bench", user_id=people[0])).clear
        for person in people:
            await keys.create(actor, name="desk", user_id=person)
        big = Big(made, key, count, people)
        big.aliases = [row["id"] for row in await _raw(database, "SELECT id FROM aliases ORDER BY id")]
        big.integrations = [row["id"] for row in await _raw(database, "SELECT id FROM integrations ORDER BY id")]
        for statement in _statements(big, database):
            await _raw(database, statement)
    finally:
        await database.close()
    return big


def _statements(big: Big, database: SqliteDatabase | PostgresDatabase) -> list[str]:
    on_postgres = isinstance(database, PostgresDatabase)
    hexed = "lpad(to_hex(n), 24, '0')" if on_postgres else "printf('%024x', n)"
    workspace, now = big.made.workspace_id, SystemClock().now()
    numbers = {"count": big.count, "scope": workspace.lower()}

    def series(count: int) -> str:
        if on_postgres:
            return f"generate_series(1, {count}) AS s(n)"
        return f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s)"

    def table(name: str, ids: Sequence[str]) -> list[str]:
        rows = ", ".join(f"({n}, '{one}')" for n, one in enumerate(ids))
        return [f"CREATE TABLE {name} (k BIGINT PRIMARY KEY, id TEXT)", f"INSERT INTO {name} VALUES {rows}"]

    status = _STATUS.format(**numbers)
    at = f"{now} - ({big.count} - n) * CAST(1000000 AS BIGINT)"
    ticket = f"""INSERT INTO tickets (id, workspace_id, number, alias_id, address, subject, from_address, from_name,
            status, assigned_to, claimed_at, resolved_at, received_at, updated_at)
        SELECT 'ticket_01' || {hexed}, '{workspace}', n, a.id, 'support@example.org', 'Hello, order ' || n,
            'customer' || n || '@customer.test', 'A customer', {status}, u.id,
            CASE WHEN u.id IS NOT NULL THEN {at} END, CASE WHEN {status} = 'resolved' THEN {at} END, {at}, {at}
        FROM {series(big.count)}
        LEFT JOIN bench_aliases a ON a.k = {_ALIAS} LEFT JOIN bench_users u ON u.k = {_ASSIGNEE} ORDER BY n"""
    delivery = f"""INSERT INTO deliveries (id, workspace_id, ticket_id, message_id, integration_id, event, state,
            attempts, next_attempt_at, expires_at, delivered_at, created_at)
        SELECT 'dlv_01' || {hexed}, '{workspace}', 'ticket_01' || {hexed}, 'msg_01' || {hexed},
            CASE WHEN n % 1000 < 900 THEN '{big.integrations[0]}' ELSE '{big.integrations[1]}' END, 'opened',
            CASE WHEN n > {big.count} - 2000 THEN 'pending' WHEN n % 20 = 3 THEN 'dead' ELSE 'delivered' END, 1,
            CASE WHEN n > {big.count} - 2000 THEN {now} + 86400000000 END, {now} + 86400000000, {at}, {at}
        FROM {series(big.count)}"""
    search = f"""INSERT INTO ticket_search (ticket_id, workspace_id, place, words)
        SELECT 'ticket_01' || {hexed}, '{workspace}', n, {_WORDS.format(**numbers)} FROM {series(big.count)}"""
    audit = f"""INSERT INTO audit (id, workspace_id, at, user_id, key_id, address, action, target)
        SELECT 'evt_01' || {hexed}, '{workspace}', {now}, NULL, NULL, '192.0.2.1', 'ticket.delete', 'ticket'
        FROM {series(100_000)}"""
    blocked = f"""INSERT INTO blocked_senders (workspace_id, sender, created_at)
        SELECT '{workspace}', '@spam' || n || '.test', {now} FROM {series(5000)}"""
    made = [*table("bench_aliases", big.aliases), *table("bench_users", big.users)]
    made += [ticket, delivery, audit, blocked]
    if on_postgres:  # an index is made in a tenth of the time that it takes to add a million tickets to it
        made += ["DROP INDEX ticket_search_words", search]
        made += ["CREATE INDEX ticket_search_words ON ticket_search USING gin (vector)", "VACUUM ANALYZE"]
    else:
        made += [search]
    return [*made, "DROP TABLE bench_aliases", "DROP TABLE bench_users"]


async def _raw(database: SqliteDatabase | PostgresDatabase, statement: str) -> list[dict[str, Any]]:
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as session:
            return [dict(row) for row in await session.execute_fetchall(statement)]
    connection = await database.connect()
    try:
        await connection.execute("SET statement_timeout = 0; SET maintenance_work_mem = '512MB'")
        return [dict(row) for row in await connection.fetch(statement, timeout=3600)]
    finally:
        await connection.close()


async def measured(big: Big, folder: Path, times: int) -> dict[str, list[float]]:
    """The milliseconds of each call, through the started program."""
    unlimited = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    found: dict[str, list[float]] = {}
    async with (
        Program("api", env=big.made.env | unlimited, cwd=folder) as program,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {big.key}"}) as http,
    ):
        root = f"http://{(await program.ready(60))['api']}/api"
        for path, queries in big.cases().items():
            for query in queries:
                call = f"{path}?{query}" if query else path
                took = found[call] = []
                for attempt in range(times + 3):
                    began = time.perf_counter()
                    async with http.get(root + call) as response:
                        body = await response.read()
                    if response.status != 200:
                        raise RuntimeError(f"{call}: {response.status} {body.decode()}")
                    if attempt >= 3:  # the first ones fill caches
                        took.append((time.perf_counter() - began) * 1000)
                    if attempt >= 5 and sum(took) > 5000:
                        break
    return found


class _Listening:
    """A database that remembers what it was asked."""

    def __init__(self, database: SqliteDatabase | PostgresDatabase) -> None:
        self._database = database
        self.asked: list[tuple[str, dict[str, object]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def all(self, query: str, /, **values: object) -> Any:
        self.asked.append((query, values))
        return await self._database.all(query, **values)


async def plans(big: Big) -> None:
    """Prints the plan of the query behind each call."""
    database = big.made.database()
    await database.open()
    listening = _Listening(database)
    try:
        login: Any = type("Login", (), {"workspace_id": big.made.workspace_id, "user_id": big.users[0], "key": big.key})
        store = Store(big.made.kind, big.made.url, catalog.load(), listening)  # type: ignore[arg-type]  # as one
        async with served(store, config(), clock=SystemClock(), login=login) as desk:  # type: ignore[arg-type]
            for path, queries in big.cases().items():
                for query in queries:
                    call = f"{path}?{query}" if query else path
                    listening.asked.clear()
                    await desk.admin.get(call)
                    for name, values in listening.asked:
                        if name != "search_missing":
                            print(f"\n{call}\n  {name}")
                            for line in await explained(database, name, values):
                                print(f"    {line}")
    finally:
        await database.close()


async def explained(database: SqliteDatabase | PostgresDatabase, name: str, values: dict[str, object]) -> list[str]:
    """The plan of one query of the catalogue, run with these values."""
    query = catalog.load()[name]
    if isinstance(database, SqliteDatabase):
        async with database.raw_transaction() as session:
            rows = await session.execute_fetchall(f"EXPLAIN QUERY PLAN {query.sqlite}", values)
            return [row["detail"] for row in rows]
    connection = await database.connect()
    try:
        rows = await connection.fetch(
            f"EXPLAIN (ANALYZE, COSTS OFF) {query.postgres}", *(values[one] for one in query.parameters)
        )
        return [row[0] for row in rows]
    finally:
        await connection.close()


def report(kind: Kind, count: int, found: dict[str, list[float]]) -> bool:
    """Prints the figures; whether every list keeps its target."""
    print(f"\n{kind}, {count:,} tickets: ms (median, p99)")
    over = []
    for call, took in found.items():
        median, p99 = statistics.median(took), sorted(took)[max(0, int(len(took) * 0.99) - 1)]
        mark = "  OVER" if median > TARGET else ""
        over += [call] if mark else []
        print(f"  {median:8.1f} {p99:8.1f}  {call}{mark}")
    print(f"{kind}: {len(found)} calls, {len(over)} over {TARGET:.0f} ms")
    return not over


def every_list() -> set[str]:
    """The lists that the API has, so that a new one is measured too."""
    return {
        route.path
        for route in ROUTES
        if route.method == "GET" and route.answer is not None and "next_cursor" in route.answer.model_fields
    }


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" or ".join(KINDS))
    parser.add_argument("--tickets", type=int)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--plans", action="store_true")
    arguments = parser.parse_args()
    well = True
    for kind in arguments.kinds or KINDS:
        count = arguments.tickets or TICKETS[kind]
        with tempfile.TemporaryDirectory() as name:
            async with installed(kind, Path(name), aliases=150, webhooks=20) as made:
                began = time.monotonic()
                big = await filled(made, count)
                missing = every_list() ^ set(big.cases())
                if missing:
                    raise RuntimeError(f"lists and cases differ: {missing}")
                print(f"{kind}: written in {time.monotonic() - began:.0f} s", file=sys.stderr)
                well &= report(kind, count, await measured(big, Path(name), arguments.times))
                if arguments.plans:
                    await plans(big)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

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
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp

from api.resources import ROUTES
from bench.filled import Filled, filled
from bench.installation import KINDS, Kind, installed
from router.admin import paging
from router.clock import SystemClock
from router.store import catalog
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.api.desk import config, served
from tests.support.process import Program
from tests.support.stores import Store

TICKETS = {"sqlite": 100_000, "postgres": 1_000_000}
TARGET = 50.0
TIMES = 100


def cases(big: Filled) -> dict[str, Sequence[str]]:
    """The query strings that each list is asked with."""
    ticket, delivery = big.id("ticket", big.count // 10), big.id("dlv", big.count // 10)
    deep = f"cursor={paging.encode(ticket)}"
    busy, other = big.users[0], big.users[7]
    main, small = big.aliases[0], big.aliases[9]
    statuses = [f"status={status}" for status in ("open", "in_progress", "waiting", "resolved")]
    return {
        "/emails/tickets": [
            *("", "limit=200", deep, f"limit=200&{deep}", *statuses, *(f"{one}&{deep}" for one in statuses)),
            *(f"aliasId={main}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in statuses))),
            *(f"aliasId={small}{more}" for more in ("", *(f"&{one}" for one in statuses))),
            *(f"assignedTo={busy}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in statuses))),
            *(f"assignedTo={busy}&aliasId={small}{more}" for more in ("", "&status=open", "&status=resolved")),
            *(f"assignedTo={other}", f"assignedTo={other}&aliasId={main}&status=resolved"),
            *searches(big, deep),
        ],
        "/emails/tickets/mine": ["", deep, *statuses],
        "/emails/tickets/unassigned": ["", deep],
        "/deliveries": [
            *("", "limit=200", f"cursor={paging.encode(delivery)}"),
            *(f"state={state}" for state in ("pending", "delivered", "dead")),
            *(
                f"integrationId={integration}{more}"
                for integration in (big.integrations[0], big.integrations[3])
                for more in ("", "&state=pending", "&state=delivered", "&state=dead")
            ),
            f"ticketId={ticket}",
        ],
        "/aliases": ["", "limit=200", f"cursor={paging.encode(big.aliases[100])}"],
        "/audit": ["", "limit=200", f"cursor={paging.encode(big.id('evt', 1000))}"],
        **{f"/{noun}": ["", "limit=200"] for noun in ("domains", "integrations", "users", "keys", "blocked-senders")},
    }


def searches(big: Filled, deep: str) -> list[str]:
    """Words that all, many, few and none have, begun words, words together; each whole, from deep inside, narrowed."""
    number = big.count // 2
    words = ["hello", "invoice", "printer", "refund", "telefax", f"order{number}", "nobodywrote"]
    begun = [
        "he",
        "hel",
        "in",
        "invo",
        "prin",
        "tele",
        "order1",
        "order77",
        str(number),
        f"%23{number}",
        "t6",
        "nobody",
    ]
    together = ["hello invoice", "invoice refund", "t2x0 t3x0 t5x0", "t2x1 t101x5", "invoice odd", "hello prin"]
    asked = [f"q={one}" for one in (*(f"{word}." for word in words), *begun, *(quote(one) for one in together))]
    busy, other, main, small = big.users[0], big.users[7], big.aliases[0], big.aliases[9]
    narrowed = [f"status={status}" for status in ("open", "in_progress", "waiting", "resolved")]
    narrowed += [f"aliasId={main}", f"aliasId={small}", f"assignedTo={busy}", f"assignedTo={other}"]
    narrowed += [f"aliasId={small}&assignedTo={busy}", f"aliasId={main}&assignedTo={busy}&status=resolved"]
    found = [f"{one}{more}" for one in asked for more in ("", f"&{deep}", "&limit=200")]
    return found + [f"{one}&{more}" for one in (*asked, "q=desk.") for more in narrowed]


async def measured(big: Filled, folder: Path, times: int) -> dict[str, list[float]]:
    """The milliseconds of each call, through the started program."""
    unlimited = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    found: dict[str, list[float]] = {}
    async with (
        Program("api", env=big.made.env | unlimited, cwd=folder) as program,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {big.key}"}) as http,
    ):
        root = f"http://{(await program.ready(60))['api']}/api"
        for path, queries in cases(big).items():
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


async def plans(big: Filled) -> None:
    """Prints the plan of the query behind each call."""
    database = big.made.database()
    await database.open()
    listening = _Listening(database)
    try:
        login: Any = type("Login", (), {"workspace_id": big.made.workspace_id, "user_id": big.users[0], "key": big.key})
        store = Store(big.made.kind, big.made.url, catalog.load(), listening)  # type: ignore[arg-type]  # as one
        async with served(store, config(), clock=SystemClock(), login=login) as desk:  # type: ignore[arg-type]
            for path, queries in cases(big).items():
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
                missing = every_list() ^ set(cases(big))
                if missing:
                    raise RuntimeError(f"lists and cases differ: {missing}")
                print(f"{kind}: written in {time.monotonic() - began:.0f} s", file=sys.stderr)
                well &= report(kind, count, await measured(big, Path(name), arguments.times))
                if arguments.plans:
                    await plans(big)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

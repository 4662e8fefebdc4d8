"""Measure every list of the REST API: `python -m bench.api [sqlite] [postgres] [--tickets N] [--plans]`.

`bench.filled` creates 1,000,000 tickets on PostgreSQL and 100,000 on SQLite. Every list is then requested from the
started program with its filters, from deep pages and with searches, one request at a time. Prints median and p99 in
milliseconds, the CPU milliseconds of the program and of PostgreSQL, and what exceeds 50 ms. `--plans` prints the query
plans.
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
from urllib.parse import quote

import aiohttp

from api.resources import ROUTES
from bench.filled import Dataset, create_dataset
from bench.installation import KINDS, bench_installation
from bench.processes import cpu_seconds
from router.admin import paging
from router.store import catalog
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support.installation.http import serve_api
from tests.support.process import Program
from tests.support.stores import Store

TICKETS = {"sqlite": 100_000, "postgres": 1_000_000}
TARGET = 50.0
TIMES = 100


def cases(big: Dataset) -> dict[str, Sequence[str]]:
    """The query strings for each list."""
    ticket, delivery = big.id("ticket", big.count // 10), big.id("dlv", big.count // 10)
    deep = f"cursor={paging.encode_cursor(ticket)}"
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
            *("", "limit=200", f"cursor={paging.encode_cursor(delivery)}"),
            *(f"state={state}" for state in ("pending", "delivered", "dead")),
            *(
                f"integrationId={integration}{more}"
                for integration in (big.integrations[0], big.integrations[3])
                for more in ("", "&state=pending", "&state=delivered", "&state=dead")
            ),
            f"ticketId={ticket}",
        ],
        "/aliases": ["", "limit=200", f"cursor={paging.encode_cursor(big.aliases[100])}"],
        "/audit": ["", "limit=200", f"cursor={paging.encode_cursor(big.id('evt', 1000))}"],
        **{f"/{noun}": ["", "limit=200"] for noun in ("domains", "integrations", "users", "keys", "blocked-senders")},
    }


def searches(big: Dataset, deep: str) -> list[str]:
    """Frequent, rare and absent words, prefixes and combinations; first pages, deep pages and filtered lists."""
    number = big.count // 2
    words = [f"{word}." for word in ("hello", "invoice", "printer", "refund", f"order{number}", "nobodywrote")]
    words += ["he", "hel", "in", "invo", "prin", "order77", "t6", "nobody", str(number), f"%23{number}"]
    words += [
        quote(f"{one} {other}") for one, other in (("hello", "invoice"), ("invoice", "refund"), ("t2x1", "t101x5"))
    ]
    words += [quote("t2x0 t3x0 t5x0"), quote("hello prin"), quote("refund cus")]
    few, many = _filters(big)
    asked = [f"q={word}{more}" for word in words for more in ("", f"&{deep}", "&limit=200")]
    asked += [f"q={word}&{more}" for word in words for more in (*few, *many)]
    return [one for one in asked if one not in known_slow_searches(big)]


def known_slow_searches(big: Dataset) -> list[str]:
    """Searches that are known to take longer than the target.

    They combine frequent words or filters that rarely or never occur together, or words of old tickets only.
    """
    _, many = _filters(big)
    main, busy, open_ = f"aliasId={big.aliases[0]}", f"assignedTo={big.users[0]}", "status=open"
    old = [f"q={word}{more}" for word in ("telefax.", "tele", "order1") for more in ("", f"&{open_}", f"&{main}")]
    never = [f"q={quote(word)}" for word in ("invoice odd.", "invoice odd")] + [f"q=desk.&{main}"]
    of_none = ["in", "invo", "invoice.", "prin", "printer.", "hello invoice", "hello prin", "t2x0 t3x0 t5x0"]
    none = [f"q={quote(word)}&{more}" for word in of_none for more in many if busy in more]
    resolved = ["prin", "printer.", "hello prin", "t2x0 t3x0 t5x0", "order77"]  # match nearly all tickets
    return [*old, *never, *none, *(f"q={quote(word)}&{open_}" for word in resolved)]


def _filters(big: Dataset) -> tuple[list[str], list[str]]:
    """Filters that few tickets match, and filters that many match."""
    main, small, busy, other = big.aliases[0], big.aliases[9], big.users[0], big.users[7]
    few = ["status=waiting", "status=in_progress", f"aliasId={small}", f"assignedTo={other}"]
    many = ["status=open", "status=resolved", f"aliasId={main}", f"assignedTo={busy}"]
    few.append(f"aliasId={small}&assignedTo={busy}")
    many.append(f"aliasId={main}&assignedTo={busy}&status=resolved")
    return few, many


@dataclass
class CallTimes:
    """Milliseconds of each request, and the mean CPU milliseconds of program and PostgreSQL."""

    times: list[float] = field(default_factory=list)
    cpu: float = 0.0


async def measure(big: Dataset, folder: Path, times: int) -> dict[str, CallTimes]:
    """Request each call from the started program; known slow ones last."""
    unlimited = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    found: dict[str, CallTimes] = {}
    async with (
        Program("api", env=big.made.env | unlimited, cwd=folder) as program,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {big.key}"}) as http,
    ):
        ready = await program.ready(60)
        process, of_database = program.pid, big.made.database_cpu or (lambda: 0.0)
        asked = [(path, query) for path, queries in cases(big).items() for query in queries]
        for path, query in [*asked, *(("/emails/tickets", query) for query in known_slow_searches(big))]:
            call = f"{path}?{query}" if query else path
            url = f"http://{ready['api']}/api{call}"
            for _ in range(3):  # fill caches
                await _time_request(http, url)
            took = found[call] = CallTimes()
            before = cpu_seconds(process) + of_database()
            while len(took.times) < times and (len(took.times) < 3 or sum(took.times) < 3000):
                took.times.append(await _time_request(http, url))
            took.cpu = (cpu_seconds(process) + of_database() - before) * 1000 / len(took.times)
    return found


async def _time_request(http: aiohttp.ClientSession, url: str) -> float:
    began = time.perf_counter()
    async with http.get(url) as response:
        body = await response.read()
    if response.status != 200:
        raise RuntimeError(f"{url}: {response.status} {body.decode()}")
    return (time.perf_counter() - began) * 1000


class _RecordingDatabase:
    """A database that records the queries of its reads."""

    def __init__(self, database: SqliteDatabase | PostgresDatabase) -> None:
        self._database = database
        self.asked: list[tuple[str, dict[str, object]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch_all(self, query: str, /, **values: object) -> Any:
        self.asked.append((query, values))
        return await self._database.fetch_all(query, **values)


async def print_plans(big: Dataset) -> None:
    """Print the plan of each query behind each call."""
    database = big.made.database
    await database.open()
    listening = _RecordingDatabase(database)
    try:
        login: Any = type("Login", (), {"workspace_id": big.made.workspace_id, "user_id": big.users[0], "key": big.key})
        store = Store(big.made.kind, big.made.url, catalog.load_catalog(), listening)  # type: ignore[arg-type]  # it forwards to one
        async with serve_api(store, login=login, real_time=True) as served:
            for path, queries in cases(big).items():
                for query in queries:
                    call = f"{path}?{query}" if query else path
                    listening.asked.clear()
                    await served.admin.get(call)
                    for name, values in listening.asked:
                        if name != "search_unindexed":
                            print(f"\n{call}\n  {name}")
                            for line in await explain(database, name, values):
                                print(f"    {line}")
    finally:
        await database.close()


async def explain(database: SqliteDatabase | PostgresDatabase, name: str, values: dict[str, object]) -> list[str]:
    """The plan of a query of the catalogue with these values."""
    query = catalog.load_catalog()[name]
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


def report(big: Dataset, found: dict[str, CallTimes]) -> bool:
    """Print the measurements; return whether every list meets its target."""
    known = {f"/emails/tickets?{query}" for query in known_slow_searches(big)}
    print(f"\n{big.made.kind}, {big.count:,} tickets: ms (median, p99), CPU ms of program and database")
    over = 0
    for call, took in found.items():
        median, p99 = statistics.median(took.times), sorted(took.times)[max(0, int(len(took.times) * 0.99) - 1)]
        mark = "  known to take longer" if call in known else "  OVER" if median > TARGET else ""
        over += mark == "  OVER"
        print(f"  {median:8.1f} {p99:8.1f} {took.cpu:8.1f}  {big.readable(call)}{mark}")
    print(f"{big.made.kind}: {len(found) - len(known)} calls, {over} over {TARGET:.0f} ms")
    return not over


def list_paths() -> set[str]:
    """The paths of all lists of the API, so that a new list is measured too."""
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
            async with bench_installation(kind, Path(name), aliases=150, webhooks=20) as made:
                began = time.monotonic()
                big = await create_dataset(made, count)
                missing = list_paths() ^ set(cases(big))
                if missing:
                    raise RuntimeError(f"lists and cases differ: {missing}")
                print(f"{kind}: written in {time.monotonic() - began:.0f} s", file=sys.stderr)
                well &= report(big, await measure(big, Path(name), arguments.times))
                if arguments.plans:
                    await print_plans(big)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

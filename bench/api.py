"""Measures the lists of the REST API: `python -m bench.api [sqlite] [postgres] [--tickets N] [--plans]`.

Requests the lists of a large installation from `emailrouter api`, one request at a time. Prints the response times and
CPU time of each call, and marks incomplete pages and calls whose median is over the target. `--plans` also prints query
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
from bench.filled import TAGS, Dataset, create_dataset
from bench.installation import KINDS, bench_installation
from bench.processes import cpu_seconds
from router.admin import paging
from router.enumerations import TICKET_PRIORITY
from router.store import catalog
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support.installation.http import serve_api
from tests.support.process import Program
from tests.support.stores import Store

TICKETS = {"sqlite": 100_000, "postgres": 1_000_000}
TARGET = 50.0  # maximum of the median response times of 95 % of the lists, and of the searches, in milliseconds
TIMES = 100  # maximum number of measured requests for each call


def cases(dataset: Dataset) -> dict[str, Sequence[str]]:
    ticket, delivery = dataset.id("ticket", dataset.count // 10), dataset.id("dlv", dataset.count // 10)
    deep = f"cursor={paging.encode_cursor(ticket)}"
    busy, other = dataset.users[0], dataset.users[7]
    main, small = dataset.aliases[0], dataset.aliases[9]
    statuses = [f"status={status}" for status in ("open", "in_progress", "waiting", "resolved")]
    return {
        "/emails/tickets": [
            *("", "limit=200", deep, f"limit=200&{deep}", *statuses, *(f"{one}&{deep}" for one in statuses)),
            *(f"aliasId={main}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in statuses))),
            *(f"aliasId={small}{more}" for more in ("", *(f"&{one}" for one in statuses))),
            *(f"assignedTo={busy}{more}" for more in ("", f"&{deep}", *(f"&{one}" for one in statuses))),
            *(f"assignedTo={busy}&aliasId={small}{more}" for more in ("", "&status=open", "&status=resolved")),
            *(f"priority={priority}" for priority in TICKET_PRIORITY.values),
            *(f"priority={priority}&status=open" for priority in TICKET_PRIORITY.values),
            *(f"priority=urgent&{more}" for more in (f"aliasId={main}", f"aliasId={small}", f"assignedTo={busy}")),
            *(f"assignedTo={other}", f"assignedTo={other}&aliasId={main}&status=resolved"),
            *(
                f"tag={tag}{more}"
                for tag in TAGS
                for more in ("", f"&{deep}", f"&aliasId={small}", "&status=open", "&q=hello.", "&q=refund.&status=open")
            ),
            *searches(dataset, deep),
        ],
        "/emails/tickets/mine": ["", deep, *statuses],
        "/emails/tickets/unassigned": ["", deep],
        "/deliveries": [
            *("", "limit=200", f"cursor={paging.encode_cursor(delivery)}"),
            *(f"state={state}" for state in ("pending", "delivered", "dead")),
            *(
                f"integrationId={integration}{more}"
                for integration in (dataset.integrations[0], dataset.integrations[3])
                for more in ("", "&state=pending", "&state=delivered", "&state=dead")
            ),
            f"ticketId={ticket}",
        ],
        "/aliases": ["", "limit=200", f"cursor={paging.encode_cursor(dataset.aliases[100])}"],
        "/audit": ["", "limit=200", f"cursor={paging.encode_cursor(dataset.id('evt', 1000))}"],
        **{
            f"/{noun}": ["", "limit=200"]
            for noun in ("domains", "integrations", "users", "keys", "allowed-senders", "blocked-senders", "tags")
        },
    }


def searches(dataset: Dataset, deep: str) -> list[str]:
    number = dataset.count // 2
    words = [f"{word}." for word in ("hello", "invoice", "printer", "refund", f"order{number}", "nobodywrote")]
    words += ["he", "hel", "in", "invo", "prin", "order77", "t6", "nobody", str(number), f"%23{number}"]
    words += [
        quote(f"{one} {other}") for one, other in (("hello", "invoice"), ("invoice", "refund"), ("t2x1", "t101x5"))
    ]
    words += [quote("t2x0 t3x0 t5x0"), quote("hello prin"), quote("refund cus")]
    few, many = _filters(dataset)
    requests = [f"q={word}{more}" for word in words for more in ("", f"&{deep}", "&limit=200")]
    requests += [f"q={word}&{more}" for word in words for more in (*few, *many)]
    return list(dict.fromkeys([*requests, *rare_combinations(dataset)]))


def rare_combinations(dataset: Dataset) -> list[str]:
    """Returns query strings of searches that read many tickets.

    They combine words or filters that rarely or never occur together, or contain a word of mostly old tickets.
    """
    _, many = _filters(dataset)
    main, busy, open_ = f"aliasId={dataset.aliases[0]}", f"assignedTo={dataset.users[0]}", "status=open"
    old = [f"q={word}{more}" for word in ("telefax.", "tele", "order1") for more in ("", f"&{open_}", f"&{main}")]
    never = [f"q={quote(word)}" for word in ("invoice odd.", "invoice odd")] + [f"q=desk.&{main}"]
    of_none = ["in", "invo", "invoice.", "prin", "printer.", "hello invoice", "hello prin", "t2x0 t3x0 t5x0"]
    none = [f"q={quote(word)}&{more}" for word in of_none for more in many if busy in more]
    resolved = ["prin", "printer.", "hello prin", "t2x0 t3x0 t5x0", "order77"]
    return [*old, *never, *none, *(f"q={quote(word)}&{open_}" for word in resolved)]


def _filters(dataset: Dataset) -> tuple[list[str], list[str]]:
    main, small, busy, other = dataset.aliases[0], dataset.aliases[9], dataset.users[0], dataset.users[7]
    few = ["status=waiting", "status=in_progress", f"aliasId={small}", f"assignedTo={other}"]
    many = ["status=open", "status=resolved", f"aliasId={main}", f"assignedTo={busy}"]
    few.append(f"aliasId={small}&assignedTo={busy}")
    many.append(f"aliasId={main}&assignedTo={busy}&status=resolved")
    return few, many


@dataclass
class CallTimes:
    """The response time of each request of one call, and the mean CPU time of a request, both in milliseconds.

    `cpu` is the sum for the program and PostgreSQL. `is_incomplete` means that the search ended early.
    """

    times: list[float] = field(default_factory=list)
    cpu: float = 0.0
    is_incomplete: bool = False


async def measure(dataset: Dataset, folder: Path, times: int) -> dict[str, CallTimes]:
    """Requests each call several times."""
    unlimited = {"api.requests_per_minute": 0, "api.requests_per_day": 0}
    measurements: dict[str, CallTimes] = {}
    async with (
        Program("api", env=dataset.installation.env | unlimited, cwd=folder) as program,
        aiohttp.ClientSession(headers={"Authorization": f"Bearer {dataset.key}"}) as http,
    ):
        ready = await program.ready(60)
        process, database_cpu = program.pid, dataset.installation.database_cpu or (lambda: 0.0)
        for path, query in [(path, query) for path, queries in cases(dataset).items() for query in queries]:
            call = f"{path}?{query}" if query else path
            url = f"http://{ready['api']}/api{call}"
            call_times = measurements[call] = CallTimes()
            for _ in range(3):  # to fill the caches
                async with http.get(url) as response:
                    call_times.is_incomplete = (await response.json()).get("incomplete", False)
            before = cpu_seconds(process) + database_cpu()
            while len(call_times.times) < times and (len(call_times.times) < 3 or sum(call_times.times) < 3000):
                call_times.times.append(await _time_request(http, url))
            call_times.cpu = (cpu_seconds(process) + database_cpu() - before) * 1000 / len(call_times.times)
    return measurements


async def _time_request(http: aiohttp.ClientSession, url: str) -> float:
    started_at = time.perf_counter()
    async with http.get(url) as response:
        body = await response.read()
    if response.status != 200:
        raise RuntimeError(f"{url}: {response.status} {body.decode()}")
    return (time.perf_counter() - started_at) * 1000


class _RecordingDatabase:
    def __init__(self, database: SqliteDatabase | PostgresDatabase) -> None:
        self._database = database
        self.queries: list[tuple[str, dict[str, object]]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    async def fetch_all(self, query: str, /, **values: object) -> Any:
        self.queries.append((query, values))
        return await self._database.fetch_all(query, **values)


async def print_plans(dataset: Dataset) -> None:
    database = dataset.installation.database
    await database.open()
    recorder = _RecordingDatabase(database)
    try:
        login: Any = type(
            "Login",
            (),
            {"workspace_id": dataset.installation.workspace_id, "user_id": dataset.users[0], "key": dataset.key},
        )
        store = Store(dataset.installation.kind, dataset.installation.url, catalog.load_catalog(), recorder)  # type: ignore[arg-type]  # the recorder forwards to a database
        async with serve_api(store, login=login, real_time=True) as served:
            for path, queries in cases(dataset).items():
                for query in queries:
                    call = f"{path}?{query}" if query else path
                    recorder.queries.clear()
                    await served.admin.get(call)
                    for name, values in recorder.queries:
                        if name != "search_unindexed":
                            print(f"\n{call}\n  {name}")
                            for line in await explain(database, name, values):
                                print(f"    {line}")
    finally:
        await database.close()


async def explain(database: SqliteDatabase | PostgresDatabase, name: str, values: dict[str, object]) -> list[str]:
    query = catalog.load_catalog().select(name, values)
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


def report(dataset: Dataset, measurements: dict[str, CallTimes]) -> bool:
    """Prints the measurements and returns whether the calls meet the target."""
    kind = dataset.installation.kind
    print(f"\n{kind}, {dataset.count:,} tickets: ms (median, p99), CPU ms of program and database")
    medians = {}
    for call, call_times in measurements.items():
        times = sorted(call_times.times)
        median, p99 = statistics.median(times), times[max(0, int(len(times) * 0.99) - 1)]
        medians[call] = median
        mark = ("  OVER" if median > TARGET else "") + ("  incomplete" if call_times.is_incomplete else "")
        print(f"  {median:8.1f} {p99:8.1f} {call_times.cpu:8.1f}  {dataset.describe_call(call)}{mark}")
    is_met = True
    for noun, is_search in (("lists", False), ("searches", True)):
        chosen = [median for call, median in medians.items() if ("q=" in call) is is_search]
        p95 = statistics.quantiles(chosen, n=20)[-1]
        over = sum(median > TARGET for median in chosen)
        print(f"{kind}: {len(chosen)} {noun}, 95 % take at most {p95:.0f} ms, {over} over {TARGET:.0f} ms")
        is_met &= p95 <= TARGET
    print(f"{kind}: {sum(one.is_incomplete for one in measurements.values())} incomplete pages")
    return is_met


def list_paths() -> set[str]:
    """Returns the paths of all lists of a workspace, which `cases` must measure."""
    return {
        route.path
        for route in ROUTES
        if route.method == "GET"
        and "{" not in route.path  # the lists of one ticket do not grow with the workspace
        and route.answer is not None
        and "next_cursor" in route.answer.model_fields
    }


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" or ".join(KINDS))
    parser.add_argument("--tickets", type=int)
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--plans", action="store_true")
    arguments = parser.parse_args()
    all_met = True
    for kind in arguments.kinds or KINDS:
        count = arguments.tickets or TICKETS[kind]
        with tempfile.TemporaryDirectory() as name:
            async with bench_installation(kind, Path(name), aliases=150, webhooks=20) as installation:
                started_at = time.monotonic()
                dataset = await create_dataset(installation, count)
                missing = list_paths() ^ set(cases(dataset))
                if missing:
                    raise RuntimeError(f"lists and cases differ: {missing}")
                print(f"{kind}: written in {time.monotonic() - started_at:.0f} s", file=sys.stderr)
                all_met &= report(dataset, await measure(dataset, Path(name), arguments.times))
                if arguments.plans:
                    await print_plans(dataset)
    return 0 if all_met else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

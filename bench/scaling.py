"""What breaks first at 10, 1,000 and 100,000 mails a second: `python -m bench.scaling [--here]`.

No machine at hand is big enough, so `bench.simulation` is run with what the other benches measured: `COSTS`. For each
step a layout of today's prices, how it does at that rate, which part is the busiest, and up to what rate it holds.
`--here` holds the simulation against this machine: it measures the costs of 4 KB mails here, on a PostgreSQL of its
own, then the rate with 1, 20 and 200 senders, and prints it beside what the simulation says. docs/scaling.md has the
figures.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg

from bench import senders
from bench.installation import installed, smtp_port
from bench.load import Load
from bench.processes import Child, cpu_seconds, emailrouter, end_on_sigterm, temporary_folder
from bench.simulation import Costs, Figures, Layout, simulate, sustained

KB, MB = 1_000, 1_000_000
# bench/README.md, ours over PostgreSQL: `accept` (a connection each) and `data` for the mails, `deliver` for the
# deliveries; the log's octets by `--here`. Cores as those were; others differ by a factor.
COSTS = Costs(
    door=0.68e-3,
    door_octet=3.9e-9,
    database=0.43e-3,
    database_octet=4.1e-9,
    delivery=3.0e-3,
    delivery_database=2.2e-3,
    round_trips=10,
    log=8 * KB,
    log_octet=1.1,
)
# A hundred mails: mostly small, on average 100 KB.
SIZES = (*[4 * KB] * 85, *[100 * KB] * 14, 8 * MB)


@dataclass(frozen=True)
class Step:
    """A layout, in words and in figures."""

    name: str
    layout: Layout


def steps() -> list[Step]:
    """Each rate with what one would build for it; 100,000 first as nobody should, then as it could be."""
    one = Layout(10, 1, 1, 2e-3, 200 * MB, 0.05e-3, 20, SIZES, posts=10)
    many = Layout(1_000, 4, 8, 1e-3, 500 * MB, 0.3e-3, 1_000, SIZES, posts=1_000)
    biggest = Layout(100_000, 300, 64, 0.5e-3, 2_000 * MB, 0.3e-3, 100_000, SIZES, posts=100_000)
    return [
        Step("10: one host, 2 cores, everything on it", one),
        Step("1,000: 2 hosts of 2 processes, a database with 8 cores, 500 MB/s for its log", many),
        Step("1,000, all of one workspace", replace(many, workspaces=1)),
        Step("1,000, raw mail in an object store (not built)", replace(many, raw_outside=True)),
        Step("100,000: 150 hosts, a database with 64 cores, 2 GB/s for its log", biggest),
        Step("100,000, raw mail in an object store (not built)", replace(biggest, raw_outside=True)),
    ]


def report() -> None:
    """The table."""
    print(
        "| layout | at its rate | busiest part | 250 after (median, p99) | holds up to, and what is at its limit then |"
    )
    print("|---|---|---|---|---|")
    for step in steps():
        layout = step.layout
        figures = simulate(layout, COSTS, seconds=max(2.0, min(600.0, 30_000 / layout.rate)))
        rate, there = sustained(layout, COSTS)
        held = "holds" if figures.holds(layout) else "does not hold"
        waits = f"{1000 * figures.wait(0.5):.0f} ms, {1000 * figures.wait(0.99):.0f} ms"
        print(
            f"| {step.name} | {held} | {_busy(figures)} | {waits if held == 'holds' else '-'} "
            f"| {_rounded(rate)} mails/s: {there.limit if there.busy else '-'} |",
            flush=True,
        )


def _busy(figures: Figures) -> str:
    return f"{figures.limit}, {100 * figures.busy[figures.limit]:.0f} %"


def _rounded(rate: float) -> str:
    digits = max(len(str(int(rate))) - 2, 0)
    return f"{round(rate, -digits):,.0f}"


# --- against this machine


async def here() -> None:
    """Measures, simulates the same, and prints both."""
    folder = temporary_folder()
    async with installed("postgres", folder) as place:
        database = await asyncpg.connect(place.url)
        with Child("smtp", emailrouter("smtp"), folder=folder, env=place.env) as smtp:
            port = smtp_port(smtp.ready())

            async def measured(clients: int, mails: int, size: int = 4 * KB) -> tuple[float, float, float, float]:
                """Mails a second; seconds of CPU of the door and of the database, and octets of log, for a mail."""
                before = (
                    cpu_seconds(smtp.pid),
                    place.database_cpu() if place.database_cpu else 0,
                    await _log(database),
                )
                load = Load(size=size, mails=mails, concurrency=clients, per_connection=1, recipient=place.addresses[0])
                sent = await senders.built_in(load, port)
                after = (cpu_seconds(smtp.pid), place.database_cpu() if place.database_cpu else 0, await _log(database))
                door, cpu, log = ((b - a) / mails for a, b in zip(before, after, strict=True))
                return sent.mails / sent.seconds, door, cpu, log

            await measured(20, 400)
            _, door, cpu, log = await measured(20, 3_000)
            _, _, _, log_large = await measured(20, 200, 100 * KB)
            flush = _flush_seconds(folder)
            log_octet = (log_large - log) / (96 * KB)
            print(f"a mail of 4 KB: door {1000 * door:.2f} ms, database {1000 * cpu:.2f} ms, log {log / KB:.1f} KB")
            print(f"an octet more: log {log_octet:.2f}; a flush: {1000 * flush:.2f} ms")
            costs = replace(COSTS, door=door, door_octet=0, database=cpu, database_octet=0, log=log, log_octet=0)
            print("| senders at once | mails a second, measured | simulated | simulated to measured |")
            print("|---|---|---|---|")
            for clients, mails in ((1, 500), (20, 3_000), (200, 3_000)):
                rate = (await measured(clients, mails))[0]
                layout = Layout(0, 1, 1, flush, 500 * MB, 0.1e-3, 1, [4 * KB], clients=clients)
                said = simulate(layout, costs, seconds=20).accepted / 20
                print(f"| {clients} | {rate:.0f} | {said:.0f} | {said / rate:.2f} |", flush=True)
        await database.close()


async def _log(database: asyncpg.Connection) -> float:
    """Octets that the database's log has had so far."""
    return float(await database.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


def _flush_seconds(folder: Path) -> float:
    """The median of fdatasync after 8 KB more, as the log's."""
    took = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 8192)
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="hold the simulation against this machine")
    if parser.parse_args().here:
        asyncio.run(here())
    else:
        report()

"""Simulates 10, 1,000 and 100,000 messages a second: `python -m bench.scaling [--here]`.

Runs `bench.simulation` with costs that were measured on one machine. `--here` compares a simulation of this machine
with a measurement. docs/scaling.md has the results.
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
from bench.installation import bench_installation, smtp_port
from bench.load import Load
from bench.processes import Child, cpu_seconds, end_on_sigterm, program_command, temporary_folder
from bench.simulation import Costs, Layout, SimulationResult, find_sustained_rate, simulate

KB, MB = 1_000, 1_000_000
# Costs of Email Router on PostgreSQL, measured on one machine. CPU times differ on other machines.
COSTS = Costs(
    receive=0.68e-3,
    receive_per_byte=3.9e-9,
    database=0.43e-3,
    database_per_byte=4.1e-9,
    delivery=3.0e-3,
    delivery_database=2.2e-3,
    round_trips=10,
    log=8 * KB,
    log_per_byte=1.1,
)
# Sizes of a hundred messages in bytes: mostly small, on average about 100 KB.
SIZES = (*[4 * KB] * 85, *[100 * KB] * 14, 8 * MB)


@dataclass(frozen=True)
class Scenario:
    name: str
    layout: Layout


def scenarios() -> list[Scenario]:
    """Returns the layouts to simulate. Those for 100,000 messages a second do not sustain them (docs/scaling.md)."""
    one = Layout(10, 1, 1, 2e-3, 200 * MB, 0.05e-3, 20, SIZES, posts=10)
    many = Layout(1_000, 4, 8, 1e-3, 500 * MB, 0.3e-3, 1_000, SIZES, posts=1_000)
    biggest = Layout(100_000, 300, 64, 0.5e-3, 2_000 * MB, 0.3e-3, 100_000, SIZES, posts=100_000)
    return [
        Scenario("10: one host, 2 cores, everything on it", one),
        Scenario("1,000: 2 hosts of 2 processes, a database with 8 cores, 500 MB/s for its log", many),
        Scenario("1,000, all of one workspace", replace(many, workspaces=1)),
        Scenario("1,000, raw mail in an object store (not built)", replace(many, raw_outside=True)),
        Scenario("100,000: 150 hosts, a database with 64 cores, 2 GB/s for its log", biggest),
        Scenario("100,000, raw mail in an object store (not built)", replace(biggest, raw_outside=True)),
    ]


def report() -> None:
    print(
        "| layout | sustained | busiest part | time to the 250 (median, p99) | highest sustained rate, busiest part |"
    )
    print("|---|---|---|---|---|")
    for scenario in scenarios():
        layout = scenario.layout
        result = simulate(layout, COSTS, seconds=max(2.0, min(600.0, 30_000 / layout.rate)))
        rate, limit = find_sustained_rate(layout, COSTS)
        verdict = "yes" if result.is_sustained(layout) else "no"
        waits = f"{1000 * result.wait_quantile(0.5):.0f} ms, {1000 * result.wait_quantile(0.99):.0f} ms"
        print(
            f"| {scenario.name} | {verdict} | {_busy(result)} | {waits if verdict == 'yes' else '-'} "
            f"| {_rounded(rate)} mails/s: {limit.bottleneck if limit.utilisation else '-'} |",
            flush=True,
        )


def _busy(result: SimulationResult) -> str:
    return f"{result.bottleneck}, {100 * result.utilisation[result.bottleneck]:.0f} %"


def _rounded(rate: float) -> str:
    digits = max(len(str(int(rate))) - 2, 0)
    return f"{round(rate, -digits):,.0f}"


async def compare_with_this_machine() -> None:
    folder = temporary_folder()
    async with bench_installation("postgres", folder) as installation:
        database = await asyncpg.connect(installation.url)
        with Child("smtp", program_command("smtp"), folder=folder, env=installation.env) as smtp:
            port = smtp_port(smtp.wait_ready())

            async def measure(clients: int, mails: int, size: int = 4 * KB) -> tuple[float, float, float, float]:
                """Returns messages per second; and per message CPU seconds of smtp and PostgreSQL, and WAL bytes."""
                before = (
                    cpu_seconds(smtp.pid),
                    installation.database_cpu() if installation.database_cpu else 0,
                    await _wal_bytes(database),
                )
                load = Load(
                    size=size, mails=mails, concurrency=clients, per_connection=1, recipient=installation.addresses[0]
                )
                sent = await senders.send_with_built_in(load, port)
                after = (
                    cpu_seconds(smtp.pid),
                    installation.database_cpu() if installation.database_cpu else 0,
                    await _wal_bytes(database),
                )
                receive, cpu, log = ((b - a) / mails for a, b in zip(before, after, strict=True))
                return sent.mails / sent.seconds, receive, cpu, log

            await measure(20, 400)
            _, receive, cpu, log = await measure(20, 3_000)
            _, _, _, log_large = await measure(20, 200, 100 * KB)
            flush = _flush_seconds(folder)
            wal_per_byte = (log_large - log) / (96 * KB)
            print(
                f"a mail of 4 KB: receive {1000 * receive:.2f} ms, database {1000 * cpu:.2f} ms, log {log / KB:.1f} KB"
            )
            print(f"each further byte: WAL {wal_per_byte:.2f}; a flush: {1000 * flush:.2f} ms")
            costs = replace(
                COSTS, receive=receive, receive_per_byte=0, database=cpu, database_per_byte=0, log=log, log_per_byte=0
            )
            print("| concurrent senders | messages a second, measured | simulated | ratio |")
            print("|---|---|---|---|")
            for clients, mails in ((1, 500), (20, 3_000), (200, 3_000)):
                rate = (await measure(clients, mails))[0]
                layout = Layout(0, 1, 1, flush, 500 * MB, 0.1e-3, 1, [4 * KB], clients=clients)
                simulated = simulate(layout, costs, seconds=20).accepted / 20
                print(f"| {clients} | {rate:.0f} | {simulated:.0f} | {simulated / rate:.2f} |", flush=True)
        await database.close()


async def _wal_bytes(database: asyncpg.Connection) -> float:
    return float(await database.fetchval("SELECT pg_current_wal_lsn() - '0/0'::pg_lsn"))


def _flush_seconds(folder: Path) -> float:
    """Returns the median duration of fdatasync after writing 8 KB."""
    durations = []
    with (folder / "flushed").open("wb", buffering=0) as file:
        for _ in range(200):
            file.write(b"x" * 8192)
            started_at = time.perf_counter()
            os.fdatasync(file.fileno())
            durations.append(time.perf_counter() - started_at)
    return statistics.median(durations)


if __name__ == "__main__":
    end_on_sigterm()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--here", action="store_true", help="compare the simulation with this machine")
    if parser.parse_args().here:
        asyncio.run(compare_with_this_machine())
    else:
        report()

"""The command line, measurements and report that all comparisons of servers have in common."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Literal

import uvloop

from bench import rounds, servers
from bench.processes import end_on_sigterm, temporary_folder
from bench.rounds import Case, Results
from bench.senders import LoadSender, choose_sender
from bench.servers import BEFORE_AND_AFTER, HARAKA, POSTFIX, Options

BASE = "Email Router, SQLite"
# Postfix is not listed, because it always has several processes.
_TWO_PROCESS_SERVERS = ("Email Router, SQLite", "Email Router, PostgreSQL", "unmodified aiosmtpd", HARAKA)


@dataclass(frozen=True)
class PerformanceTarget:
    """A bound of the ratio of `BASE` to `server` in `case`: a maximum for CPU, a minimum for the rate."""

    case: str
    server: str
    quantity: Literal["CPU", "rate"]
    bound: float

    def format_verdict(self, results: Results) -> str:
        ratios = results.ratios(
            self.case, BASE, self.server, (lambda f: f.cpu) if self.quantity == "CPU" else (lambda f: f.rate)
        )
        bound = "at most" if self.quantity == "CPU" else "at least"
        label = f"{self.case}: {self.quantity} {bound} {self.bound:.2f} x {self.server}"
        if not ratios:
            return f"not measured  {label}"
        middle = median(ratios)
        met = middle <= self.bound if self.quantity == "CPU" else middle >= self.bound
        return f"{'met   ' if met else 'MISSED'}  {label}: {rounds.format_spread(ratios)}"


def main(
    description: str, cases: Sequence[Case], two_process_cases: Sequence[Case], targets: Sequence[PerformanceTarget]
) -> None:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    servers.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=300.0, help="no round starts after this many seconds")
    parser.add_argument(
        "--quick", action="store_true", help="two rounds of short loads, to check that the benchmark works"
    )
    parser.add_argument("--cases", nargs="+", help="only the cases whose names contain one of these")
    options = parser.parse_args()
    sender = choose_sender(options.smtp_source)
    chosen = [case for case in cases if _is_selected(case, options.cases)]
    chosen_twice = [case for case in two_process_cases if _is_selected(case, options.cases)]
    count = 2 if options.quick else options.rounds
    if options.quick:
        chosen = [case.shorten() for case in chosen]
        chosen_twice = [case.shorten() for case in chosen_twice]
    end_on_sigterm()
    folder = temporary_folder()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = _run(options, sender, targets, cases=chosen, two_process_cases=chosen_twice, count=count, folder=folder)
        runner.run(run)


async def _run(
    options: argparse.Namespace,
    sender: LoadSender,
    targets: Sequence[PerformanceTarget],
    *,
    cases: Sequence[Case],
    two_process_cases: Sequence[Case],
    count: int,
    folder: Path,
) -> None:
    print(f"load: {sender.name} (STARTTLS: built-in), {count} rounds")
    for processes, selected_cases in ((1, cases), (2, two_process_cases)):
        names = [name for name in options.servers if processes == 1 or name in _TWO_PROCESS_SERVERS]
        if not selected_cases or not names:
            continue
        server_folder = folder / str(processes)
        server_folder.mkdir()
        peers = Options(options.haraka, options.postfix, options.before, processes)
        async with servers.started_servers(names, peers, server_folder) as started:
            results = await rounds.compare(selected_cases, started, sender, rounds=count, budget=options.budget)
            print(
                f"\n{processes} process(es) of each server except {POSTFIX}\n\n{rounds.format_table(results, BASE)}\n"
            )
            for before, after in BEFORE_AND_AFTER:
                print(rounds.format_comparison(results, before, after), end="")
            for server in started:
                print(f"peak memory of {server.name}: {server.peak_memory() / 1048576:.0f} MiB")
        for failure in results.failures:
            print(f"failed: {failure}")
        if processes == 1:
            print("\n" + "\n".join(target.format_verdict(results) for target in targets) + "\n", flush=True)


def _is_selected(case: Case, words: Sequence[str] | None) -> bool:
    return not words or any(word in case.name for word in words)

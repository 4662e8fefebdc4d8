"""What `bench.accept` and `bench.data` share: the options, the run over one and two processes, targets, the report."""

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
from bench.senders import Sender, find_smtp_source
from bench.servers import HARAKA, POSTFIX, Options

BASE = "ours, SQLite"
# Two of a process say something about servers that are one process; Postfix always has both cores.
_TWICE = ("ours, SQLite", "ours, PostgreSQL", "stock Sink", HARAKA)


@dataclass(frozen=True)
class Target:
    """`BASE` to `server` in `case`: CPU at most, or rate at least, `bound` times."""

    case: str
    server: str
    what: Literal["CPU", "rate"]
    bound: float

    def verdict(self, results: Results) -> str:
        """One line: met, missed or not measured."""
        ratios = results.ratios(
            self.case, BASE, self.server, (lambda f: f.cpu) if self.what == "CPU" else (lambda f: f.rate)
        )
        bound = "at most" if self.what == "CPU" else "at least"
        says = f"{self.case}: {self.what} {bound} {self.bound:.2f} x {self.server}"
        if not ratios:
            return f"not measured  {says}"
        middle = median(ratios)
        met = middle <= self.bound if self.what == "CPU" else middle >= self.bound
        return f"{'met   ' if met else 'MISSED'}  {says}: {rounds.spread(ratios)}"


def main(about: str, cases: Sequence[Case], twice: Sequence[Case], targets: Sequence[Target]) -> None:
    """The command line of a comparison. twice: the cases that are also run on two processes of each server."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    servers.add_arguments(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--budget", type=float, default=300.0, help="seconds after which no further round begins")
    parser.add_argument("--quick", action="store_true", help="two rounds of short loads: does it work?")
    parser.add_argument("--cases", nargs="+", help="only the cases whose names contain one of these")
    options = parser.parse_args()
    sender = find_smtp_source(options.smtp_source)
    chosen = [case for case in cases if _wanted(case, options.cases)]
    chosen_twice = [case for case in twice if _wanted(case, options.cases)]
    count = 2 if options.quick else options.rounds
    if options.quick:
        chosen = [_short(case) for case in chosen]
        chosen_twice = [_short(case) for case in chosen_twice]
    end_on_sigterm()
    folder = temporary_folder()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        run = _run(options, sender, targets, cases=chosen, twice=chosen_twice, count=count, folder=folder)
        runner.run(run)


async def _run(
    options: argparse.Namespace,
    sender: Sender,
    targets: Sequence[Target],
    *,
    cases: Sequence[Case],
    twice: Sequence[Case],
    count: int,
    folder: Path,
) -> None:
    print(f"load: {sender.name} (STARTTLS: built-in), {count} rounds")
    for processes, these in ((1, cases), (2, twice)):
        names = [name for name in options.servers if processes == 1 or name in _TWICE]
        if not these or not names:
            continue
        place = folder / str(processes)
        place.mkdir()
        peers = Options(options.haraka, options.postfix, options.before, processes)
        async with servers.running(names, peers, place) as started:
            results = await rounds.compare(these, started, sender, rounds=count, budget=options.budget)
            print(f"\n{processes} process(es) of each server but {POSTFIX}\n\n{rounds.table(results, BASE)}\n")
            for server in started:
                print(f"peak memory of {server.name}: {server.peak() / 1048576:.0f} MiB")
        for failure in results.failures:
            print(f"failed: {failure}")
        if processes == 1:
            print("\n" + "\n".join(target.verdict(results) for target in targets) + "\n", flush=True)


def _wanted(case: Case, words: Sequence[str] | None) -> bool:
    return not words or any(word in case.name for word in words)


def _short(case: Case) -> Case:
    return Case(case.name, case.load, seconds=0.3, least=min(case.least, 20), without=case.without)

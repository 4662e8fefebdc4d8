"""Interleaved rounds: each round measures each case on one server after the other.

The load of a machine changes from minute to minute, so only measurements of the same round are compared.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from bench.load import Load
from bench.senders import LoadError, Sender
from bench.servers import HANDSHAKE, RunningServer

_SETTLE = 0.05  # seconds to let a server finish its work after the last reply


@dataclass(frozen=True)
class Case:
    """A load to measure.

    `seconds` is the approximate duration of a measurement. `without` names the servers on which it is not measured.
    """

    name: str
    load: Load
    seconds: float = 1.2
    min_messages: int = 40
    without: tuple[str, ...] = (HANDSHAKE,)

    def shorten(self) -> Case:
        """Returns a case that takes a fraction of a second, to check that the benchmark works."""
        return replace(self, seconds=0.3, min_messages=min(self.min_messages, 20))


@dataclass(frozen=True)
class Measurement:
    """The result for one load on one server.

    Attributes:
        rate: Messages per second.
        cpu: CPU milliseconds of the server's processes per message.
        database_cpu: CPU milliseconds of the server's PostgreSQL per message.
    """

    rate: float
    cpu: float
    database_cpu: float = 0.0


@dataclass
class Results:
    """Measurements and failures of all rounds.

    `measurements[case][server]` has one entry for each round, which is None after a failure.
    """

    measurements: dict[str, dict[str, list[Measurement | None]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, server: str, measurement: Measurement | None) -> None:
        self.measurements.setdefault(case, {}).setdefault(server, []).append(measurement)

    def ratios(self, case: str, server: str, base: str, get_value: Callable[[Measurement], float]) -> list[float]:
        rounds = self.measurements.get(case, {})
        pairs = zip(rounds.get(server, []), rounds.get(base, []), strict=False)
        return [get_value(a) / get_value(b) for a, b in pairs if a is not None and b is not None and get_value(b) > 0]


async def measure(server: RunningServer, sender: Sender, load: Load) -> Measurement:
    """Sends the load and measures the server. Raises `LoadError` or TimeoutError."""
    if server.name == HANDSHAKE:  # The handshake server receives as many connections, without messages.
        load = replace(load, handshake=True, starttls=False)
    cpu, database = server.cpu_seconds(), server.database_cpu() if server.database_cpu else 0.0
    sent = await sender.send(load, server.port)
    time.sleep(_SETTLE)  # noqa: ASYNC251 - nothing else may run during the measurement
    cpu = server.cpu_seconds() - cpu
    database = server.database_cpu() - database if server.database_cpu else 0.0
    server.empty_spool()
    return Measurement(sent.mails / sent.seconds, 1000 * cpu / sent.mails, 1000 * database / sent.mails)


async def compare(
    cases: Sequence[Case], servers: Sequence[RunningServer], sender: Sender, *, rounds: int, budget: float
) -> Results:
    """Measures each case on each of its servers, once in each round. No round starts after `budget` seconds.

    A first small load determines how many messages a measurement sends.
    """
    results = Results()
    end = time.monotonic() + budget
    mails: dict[tuple[str, str], int] = {}
    for number in range(rounds):
        if time.monotonic() > end:
            print(f"time limit reached after {number} rounds")
            break
        for case in cases:
            taking_part = [server for server in servers if server.name not in case.without]
            shift = number % max(len(taking_part), 1)
            for server in taking_part[shift:] + taking_part[:shift]:
                key = (case.name, server.name)
                try:
                    if key not in mails:
                        mails[key] = await _messages_for(case, server, sender)
                    measurement = await measure(server, sender, replace(case.load, mails=mails[key]))
                except (LoadError, TimeoutError) as error:
                    results.failures.append(f"{case.name}, {server.name}: {error or 'timed out'}")
                    measurement = None
                results.add(case.name, server.name, measurement)
        print(f"round {number + 1} of {rounds} completed", flush=True)
    return results


async def _messages_for(case: Case, server: RunningServer, sender: Sender) -> int:
    first = max(case.min_messages // 2, case.load.concurrency)
    rate = (await measure(server, sender, replace(case.load, mails=first))).rate
    return max(case.min_messages, case.load.concurrency, round(rate * case.seconds))


def format_table(results: Results, base: str) -> str:
    """Returns a Markdown table with the medians of the rounds, and the ratios of `base` to each server."""
    lines = [
        f"| case | server | mails/s | CPU ms/mail | {base}: rate ratio | {base}: CPU ratio |",
        "|---|---|---|---|---|---|",
    ]
    for case, servers in results.measurements.items():
        for server, rounds in servers.items():
            known = [measurement for measurement in rounds if measurement is not None]
            if not known:
                lines.append(f"| {case} | {server} | failed | | | |")
                continue
            cpu = f"{median(f.cpu for f in known):.2f}"
            if any(measurement.database_cpu for measurement in known):
                cpu += f" + {median(f.database_cpu for f in known):.2f}"
            rates = format_spread(results.ratios(case, base, server, lambda f: f.rate)) if server != base else ""
            costs = format_spread(results.ratios(case, base, server, lambda f: f.cpu)) if server != base else ""
            lines.append(f"| {case} | {server} | {median(f.rate for f in known):.0f} | {cpu} | {rates} | {costs} |")
    return "\n".join(lines)


def format_comparison(results: Results, before: str, after: str) -> str:
    """Returns the ratios of the CPU of two servers in each case, one case a line."""
    lines = []
    for case in results.measurements:
        program = results.ratios(case, after, before, lambda f: f.cpu)
        database = results.ratios(case, after, before, lambda f: f.database_cpu)
        together = results.ratios(case, after, before, lambda f: f.cpu + f.database_cpu)
        if program:
            parts = f" ({format_spread(program)} + {format_spread(database)})" if database else ""
            lines.append(f"{case}: CPU {format_spread(together)} x {before}{parts}\n")
    return "".join(lines)


def format_spread(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"

"""Interleaved rounds: each case is sent to one server after the other, again and again, and compared within a round.

What a machine does besides changes from minute to minute, so figures of different rounds are never compared: a ratio
is made of two measurements of the same round, and shown as the median over the rounds with the least and the most.
Pure but for `measure` and `compare`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from statistics import median

from bench.load import Load
from bench.senders import LoadError, Sender
from bench.servers import HANDSHAKE, Running

_SETTLE = 0.05  # seconds for a server to put away what its last reply left to do


@dataclass(frozen=True)
class Case:
    """One load. seconds: how long one measurement should last; least: mails that it has at the least.

    without: the servers that take no part; only a case over TLS is compared with the bare handshake.
    """

    name: str
    load: Load
    seconds: float = 1.2
    least: int = 40
    without: tuple[str, ...] = (HANDSHAKE,)


@dataclass(frozen=True)
class Figure:
    """Mails a second; milliseconds of CPU for a mail, of the server's processes and of its PostgreSQL."""

    rate: float
    cpu: float
    database_cpu: float = 0.0


@dataclass
class Results:
    """figures[case][server]: one for each round, None where the server failed it."""

    figures: dict[str, dict[str, list[Figure | None]]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def add(self, case: str, server: str, figure: Figure | None) -> None:
        """The figure of the next round."""
        self.figures.setdefault(case, {}).setdefault(server, []).append(figure)

    def ratios(self, case: str, server: str, base: str, of: Callable[[Figure], float]) -> list[float]:
        """`server` to `base` in every round that has both."""
        rounds = self.figures.get(case, {})
        pairs = zip(rounds.get(server, []), rounds.get(base, []), strict=False)
        return [of(a) / of(b) for a, b in pairs if a is not None and b is not None and of(b) > 0]


async def measure(server: Running, sender: Sender, load: Load) -> Figure:
    """Sends it once. Raises `LoadError`."""
    if server.name == HANDSHAKE:  # the same connections with nothing in them
        load = replace(load, handshake=True, starttls=False)
    cpu, database = server.cpu(), server.database_cpu() if server.database_cpu else 0.0
    sent = await sender.send(load, server.port)
    time.sleep(_SETTLE)  # noqa: ASYNC251 - the bench has nothing else to do, and shall not
    cpu = server.cpu() - cpu
    database = server.database_cpu() - database if server.database_cpu else 0.0
    server.tidy()
    return Figure(sent.mails / sent.seconds, 1000 * cpu / sent.mails, 1000 * database / sent.mails)


async def compare(
    cases: Sequence[Case], servers: Sequence[Running], sender: Sender, *, rounds: int, budget: float
) -> Results:
    """All cases on all servers, `rounds` times; no round begins when `budget` seconds are over.

    How many mails make a measurement long enough is found by a first small load, which also warms the server up.
    """
    results = Results()
    end = time.monotonic() + budget
    mails: dict[tuple[str, str], int] = {}
    for number in range(rounds):
        if time.monotonic() > end:
            print(f"the time is over after {number} rounds")
            break
        for case in cases:
            taking_part = [server for server in servers if server.name not in case.without]
            shift = number % max(len(taking_part), 1)  # nobody is always first
            for server in taking_part[shift:] + taking_part[:shift]:
                key = (case.name, server.name)
                try:
                    if key not in mails:
                        mails[key] = await _mails_for(case, server, sender)
                    figure = await measure(server, sender, replace(case.load, mails=mails[key]))
                except (LoadError, TimeoutError) as error:
                    results.failures.append(f"{case.name}, {server.name}: {error or 'timed out'}")
                    figure = None
                results.add(case.name, server.name, figure)
        print(f"round {number + 1} of {rounds} is done", flush=True)
    return results


async def _mails_for(case: Case, server: Running, sender: Sender) -> int:
    first = max(case.least // 2, case.load.concurrency)
    rate = (await measure(server, sender, replace(case.load, mails=first))).rate
    return max(case.least, case.load.concurrency, round(rate * case.seconds))


def table(results: Results, base: str) -> str:
    """Markdown: for each case a line for each server, with its figures (medians) and what `base` is to it."""
    lines = [
        f"| case | server | mails/s | CPU ms/mail | {base}: rate to its | {base}: CPU to its |",
        "|---|---|---|---|---|---|",
    ]
    for case, servers in results.figures.items():
        for server, rounds in servers.items():
            known = [figure for figure in rounds if figure is not None]
            if not known:
                lines.append(f"| {case} | {server} | failed | | | |")
                continue
            cpu = f"{median(f.cpu for f in known):.2f}"
            if any(figure.database_cpu for figure in known):
                cpu += f" + {median(f.database_cpu for f in known):.2f}"
            rates = spread(results.ratios(case, base, server, lambda f: f.rate)) if server != base else ""
            costs = spread(results.ratios(case, base, server, lambda f: f.cpu)) if server != base else ""
            lines.append(f"| {case} | {server} | {median(f.rate for f in known):.0f} | {cpu} | {rates} | {costs} |")
    return "\n".join(lines)


def spread(ratios: Sequence[float]) -> str:
    """Median, least and most: `0.31 (0.29-0.34)`."""
    if not ratios:
        return "-"
    return f"{median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"

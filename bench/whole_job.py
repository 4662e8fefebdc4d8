"""Measures the whole job, from SMTP to the last post at the Slack stand-in, of one `serve` process on each database.

The load is the mix of `bench.mixed_mail` for several aliases with a webhook each. The CPU of the parser processes
counts, the stand-in's does not. Another checkout can be compared in alternating rounds.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench import rounds
from bench.installation import BenchInstallation, Kind, bench_installation, smtp_port
from bench.latency import WARM_UP, find_latencies, send_slowly
from bench.load import Load
from bench.processes import Child, program_command
from bench.rounds import Case, Measurement, Results
from bench.senders import SendResult, send_with_built_in
from bench.servers import BEFORE, EMAIL_ROUTER, RunningServer
from tests.support.slack import SlackStandIn

WEBHOOKS = 8
CASES = [
    Case("mixed, 20 at once", Load(mixed=True, concurrency=20, per_connection=0), seconds=2.5, min_messages=400),
    Case("mixed, alone", Load(mixed=True, concurrency=1, per_connection=0), seconds=1.5, min_messages=200),
]


@dataclass(frozen=True)
class JobServer:
    """A `serve` process with its installation."""

    server: RunningServer
    installation: BenchInstallation


@dataclass(frozen=True)
class JobSender:
    """Sends a load to all aliases of the installation, and waits until every message has been posted.

    The duration is that of the posts, without the start of the load generator.
    """

    slack: SlackStandIn
    recipient: str

    async def send(self, load: Load, port: int) -> SendResult:
        self.slack.posts.clear()
        sent = await send_with_built_in(replace(load, recipient=self.recipient), port)
        await wait_for_posts(self.slack, sent.mails, timeout=load.timeout)
        return SendResult(sent.mails, self.slack.posts[-1].at - self.slack.posts[0].at)


@asynccontextmanager
async def job_servers(
    kind: Kind, folder: Path, slack: SlackStandIn, before: Path | None
) -> AsyncIterator[list[JobServer]]:
    """Starts one server of this checkout, and one of the checkout `before` if it is given."""
    checkouts: list[tuple[str, Path | None]] = [(name, None) for name, each in EMAIL_ROUTER.items() if each == kind]
    if before is not None:
        checkouts += [(name, before) for name, each in BEFORE.items() if each == kind]
    async with AsyncExitStack() as stack:
        started = []
        for number, (name, checkout) in enumerate(checkouts):
            place = folder / str(number)
            installation = await stack.enter_async_context(
                bench_installation(
                    kind, place, aliases=WEBHOOKS, webhooks=WEBHOOKS, webhook=slack.url, checkout=checkout
                )
            )
            child = stack.enter_context(
                Child("serve", program_command("serve", checkout), folder=place, env=installation.env)
            )
            port = smtp_port(child.wait_ready())
            server = RunningServer(name, port, [child], installation.database_cpu, has_grandchildren=True)
            started.append(JobServer(server, installation))
        yield started


async def compare_jobs(servers: list[JobServer], slack: SlackStandIn, *, count: int, quick: bool) -> Results:
    """Measures the cases in `count` rounds. All installations have the same addresses."""
    cases = [case.shorten() for case in CASES] if quick else CASES
    sender = JobSender(slack, ",".join(servers[0].installation.addresses))
    return await rounds.compare(cases, [each.server for each in servers], sender, rounds=count, budget=600)


def format_report(results: Results, servers: list[JobServer]) -> str:
    """Returns the table of the measurements, and the ratios of this checkout to the other one."""
    base = servers[0].server.name
    lines = [rounds.format_table(results, base)]
    for other in (each.server.name for each in servers[1:]):
        lines += [
            f"{case}, {base} / {other}: {_format_ratios(results, case, base, other)}" for case in results.measurements
        ]
    return "\n".join([*lines, *(f"failed: {failure}" for failure in results.failures)])


def _format_ratios(results: Results, case: str, base: str, other: str) -> str:
    quantities = {
        "CPU": lambda m: m.cpu,
        "CPU of the database": lambda m: m.database_cpu,
        "CPU with the database": _total_cpu,
        "rate": lambda m: m.rate,
    }
    ratios = {name: results.ratios(case, base, other, get_value) for name, get_value in quantities.items()}
    return "; ".join(f"{name} {rounds.format_spread(values)}" for name, values in ratios.items() if values)


def _total_cpu(measurement: Measurement) -> float:
    return measurement.cpu + measurement.database_cpu


async def compare_latencies(
    servers: list[JobServer], slack: SlackStandIn, *, count: int, mails: int
) -> dict[str, list[float]]:
    """Returns the median latency of each round in seconds, by the name of the server."""
    medians: dict[str, list[float]] = {each.server.name: [] for each in servers}
    for number in range(count):
        shift = number % len(servers)
        for each in servers[shift:] + servers[:shift]:
            slack.posts.clear()
            recipient = each.installation.addresses[number % WEBHOOKS]
            answered = await send_slowly(each.server.port, recipient, mails)
            await wait_for_posts(slack, len(answered) + WARM_UP, timeout=30)
            medians[each.server.name].append(median(find_latencies(slack, answered)))
    return medians


async def wait_for_posts(slack: SlackStandIn, count: int, *, timeout: float) -> None:
    """Polls until `count` posts have arrived. Raises TimeoutError."""
    end = time.monotonic() + timeout
    while len(slack.posts) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(slack.posts)} of {count} deliveries within {timeout} s")
        await asyncio.sleep(0.02)

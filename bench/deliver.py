"""Measures the delivery from the 250 reply to Slack: `python -m bench.deliver [--quick]`.

- job: the CPU time of the whole job for each message, from SMTP to the last post, in one `serve` process
  (`bench.whole_job`); `--before` compares another checkout in alternating rounds.
- latency: the time from the client's receipt of the 250 reply until the Slack stand-in has the complete request, on an
  idle system.
- rate: the number of deliveries per second by one `deliver` process with a full outbox.

The stand-in runs on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from bench import client, rounds, senders, whole_job
from bench.installation import KINDS, BenchInstallation, Kind, bench_installation, smtp_port
from bench.latency import WARM_UP, find_latencies, send_slowly
from bench.load import Load
from bench.processes import Child, cpu_seconds, end_on_sigterm, program_command, temporary_folder
from bench.whole_job import wait_for_posts
from emailrouter.assembly.deliver import SQLITE_POLL_INTERVAL_SECONDS
from tests.support.slack import SlackStandIn

_PARTS = ("job", "latency", "rate")
_WEBHOOKS = 20
_MAX_POSTS = 100_000  # more than a measurement of the whole job makes
_TARGET = 0.050  # maximum median latency in seconds, except for two processes over SQLite

_LAYOUTS: dict[str, tuple[str, ...]] = {"serve": ("serve",), "smtp + deliver": ("smtp", "deliver")}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mails", type=int, default=300, help="messages for each latency measurement")
    parser.add_argument("--deliveries", type=int, default=2000, help="deliveries for each rate measurement")
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=list(KINDS))
    parser.add_argument("--parts", nargs="+", choices=_PARTS, default=list(_PARTS), help="what to measure")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of the whole job")
    parser.add_argument(
        "--before", metavar="CHECKOUT", type=_checkout, help="another checkout of this project, with .venv"
    )
    options = parser.parse_args()
    mails, deliveries = (30, 200) if options.quick else (options.mails, options.deliveries)
    folder = temporary_folder()
    for kind in options.databases:
        if "job" in options.parts:
            await _measure_job(kind, folder / f"{kind}-job", options)
        if "latency" in options.parts:
            for number, (layout, roles) in enumerate(_LAYOUTS.items()):
                await _measure_latency(kind, folder / f"{kind}-{number}", layout, roles, mails)
        if "rate" in options.parts:
            for webhooks in (1, _WEBHOOKS):
                await _measure_rate(kind, folder / f"{kind}-rate-{webhooks}", webhooks, deliveries)


async def _measure_job(kind: Kind, folder: Path, options: argparse.Namespace) -> None:
    count = 2 if options.quick else options.rounds
    async with (
        SlackStandIn(keep=_MAX_POSTS) as slack,
        whole_job.job_servers(kind, folder, slack, options.before) as servers,
    ):
        results = await whole_job.compare_jobs(servers, slack, count=count, quick=options.quick)
        print(f"\n{whole_job.format_report(results, servers)}", flush=True)
        medians = await whole_job.compare_latencies(servers, slack, count=count, mails=20 if options.quick else 60)
        for name, values in medians.items():
            print(f"latency, {name}: median {1000 * median(values):.1f} ms", flush=True)
        base, *others = medians
        for other in others:
            ratios = [ours / theirs for ours, theirs in zip(medians[base], medians[other], strict=True)]
            print(f"latency, {base} / {other}: {rounds.format_spread(ratios)}", flush=True)


async def _measure_latency(kind: Kind, folder: Path, layout: str, roles: tuple[str, ...], mails: int) -> None:
    async with (
        SlackStandIn(keep=2 * mails) as slack,
        bench_installation(kind, folder, webhook=slack.url) as installation,
    ):
        with ExitStack() as stack:
            children = [stack.enter_context(_child(role, folder, installation)) for role in roles]
            port = smtp_port(children[0].wait_ready())
            for child in children:
                child.wait_ready()
            answered = await send_slowly(port, installation.addresses[0], mails)
            await wait_for_posts(slack, len(answered) + WARM_UP, timeout=30)
            retries = [
                event
                for child in children
                for event in child.events()
                if event.get("event") == "delivery.retry_scheduled"
            ]
    latencies = find_latencies(slack, answered)
    target = SQLITE_POLL_INTERVAL_SECONDS if kind == "sqlite" and len(roles) > 1 else _TARGET
    met = "met" if client.percentile(latencies, 0.5) < target else "MISSED"
    print(
        f"latency, {kind}, {layout}: {len(latencies)} of {mails} mails: {client.format_durations(latencies)}  [{met}]",
        flush=True,
    )
    for event in retries:
        print(f"  an attempt failed: {event.get('reason')}")


async def _measure_rate(kind: Kind, folder: Path, webhooks: int, deliveries: int) -> None:
    async with (
        SlackStandIn(keep=2 * deliveries) as slack,
        bench_installation(kind, folder, aliases=webhooks, webhooks=webhooks, webhook=slack.url) as installation,
    ):
        with _child("smtp", folder, installation) as smtp:
            load = Load(size=2048, mails=deliveries, per_connection=0, recipient=",".join(installation.addresses))
            await senders.send_with_built_in(load, smtp_port(smtp.wait_ready()))
        before = installation.database_cpu() if installation.database_cpu else 0.0
        with _child("deliver", folder, installation) as deliver:
            await wait_for_posts(slack, deliveries, timeout=120)
            cpu = cpu_seconds(deliver.pid)
            database = installation.database_cpu() - before if installation.database_cpu else 0.0
    seconds = slack.posts[-1].at - slack.posts[0].at
    cost = f"{1000 * cpu / deliveries:.2f}" + (
        f" + {1000 * database / deliveries:.2f}" if installation.database_cpu else ""
    )
    rate = (deliveries - 1) / seconds
    print(f"rate, {kind}, {webhooks} webhook(s): {rate:.0f} deliveries/s, CPU {cost} ms each", flush=True)


def _checkout(path: str) -> Path:
    return Path(path).resolve()


def _child(role: str, folder: Path, installation: BenchInstallation) -> Child:
    return Child(role, program_command(role), folder=folder, env=installation.env)


if __name__ == "__main__":
    end_on_sigterm()
    asyncio.run(main())

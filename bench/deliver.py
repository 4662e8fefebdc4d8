"""Measures the delivery from the 250 reply to Slack: `python -m bench.deliver [--quick]`.

The latency is the time from the client's receipt of the 250 reply until the Slack stand-in has the complete request,
on an idle system. The rate is the number of deliveries per second by one `deliver` process with a full outbox. The
stand-in runs on the same machine.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from contextlib import ExitStack
from pathlib import Path

from bench import client, senders
from bench.installation import KINDS, BenchInstallation, Kind, bench_installation, smtp_port
from bench.load import Load
from bench.processes import Child, cpu_seconds, end_on_sigterm, program_command, temporary_folder
from emailrouter.assembly.deliver import SQLITE_POLL_INTERVAL_SECONDS
from tests.support.slack import SlackStandIn
from tests.support.smtp import dot_stuff

_WEBHOOKS = 20
_WARM_UP = 5
_MARK = re.compile(rb"latency-(\d+)-")
_TARGET = 0.050  # maximum median latency in seconds, except for two processes over SQLite

_LAYOUTS: dict[str, tuple[str, ...]] = {"serve": ("serve",), "smtp + deliver": ("smtp", "deliver")}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--mails", type=int, default=300, help="messages for each latency measurement")
    parser.add_argument("--deliveries", type=int, default=2000, help="deliveries for each rate measurement")
    parser.add_argument("--databases", nargs="+", choices=KINDS, default=list(KINDS))
    options = parser.parse_args()
    mails, deliveries = (30, 200) if options.quick else (options.mails, options.deliveries)
    folder = temporary_folder()
    for kind in options.databases:
        for number, (layout, roles) in enumerate(_LAYOUTS.items()):
            await _measure_latency(kind, folder / f"{kind}-{number}", layout, roles, mails)
        for webhooks in (1, _WEBHOOKS):
            await _measure_rate(kind, folder / f"{kind}-rate-{webhooks}", webhooks, deliveries)


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
            answered = await _send_slowly(port, installation.addresses[0], mails)
            await _wait_for_posts(slack, len(answered) + _WARM_UP, timeout=30)
            retries = [
                event
                for child in children
                for event in child.events()
                if event.get("event") == "delivery.retry_scheduled"
            ]
    marked = ((post.at, _MARK.search(post.raw)) for post in slack.posts)
    latencies = [at - answered[int(found[1])] for at, found in marked if found]
    target = SQLITE_POLL_INTERVAL_SECONDS if kind == "sqlite" and len(roles) > 1 else _TARGET
    met = "met" if client.percentile(latencies, 0.5) < target else "MISSED"
    print(
        f"latency, {kind}, {layout}: {len(latencies)} of {mails} mails: {client.format_durations(latencies)}  [{met}]",
        flush=True,
    )
    for event in retries:
        print(f"  an attempt failed: {event.get('reason')}")


async def _send_slowly(port: int, recipient: str, mails: int) -> dict[int, float]:
    """Sends messages one by one. Returns the time of each reply by message number, without the warm-up."""
    answered: dict[int, float] = {}
    for n in range(-_WARM_UP, mails):
        subject = f"latency-{n}-" if n >= 0 else "warm up"
        head = f"From: Ada <ada@sender.test>\r\nTo: {recipient}\r\nSubject: {subject}\r\nMessage-ID: <{n}@lat.test>\r\n"
        content = dot_stuff(f"{head}\r\n".encode() + b"The door is stuck, and it rains in.\r\n" * 20)
        answer = await client.send(port, recipient, [content])
        if answer.code != 250:
            raise RuntimeError(f"not accepted: {answer.text}")
        if n >= 0:
            answered[n] = answer.replied_at
        await asyncio.sleep(0.03)
    return answered


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
            await _wait_for_posts(slack, deliveries, timeout=120)
            cpu = cpu_seconds(deliver.pid)
            database = installation.database_cpu() - before if installation.database_cpu else 0.0
    seconds = slack.posts[-1].at - slack.posts[0].at
    cost = f"{1000 * cpu / deliveries:.2f}" + (
        f" + {1000 * database / deliveries:.2f}" if installation.database_cpu else ""
    )
    rate = (deliveries - 1) / seconds
    print(f"rate, {kind}, {webhooks} webhook(s): {rate:.0f} deliveries/s, CPU {cost} ms each", flush=True)


async def _wait_for_posts(slack: SlackStandIn, count: int, *, timeout: float) -> None:
    """Polls until `count` posts have arrived."""
    end = time.monotonic() + timeout
    while len(slack.posts) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(slack.posts)} of {count} deliveries within {timeout} s")
        await asyncio.sleep(0.05)


def _child(role: str, folder: Path, installation: BenchInstallation) -> Child:
    return Child(role, program_command(role), folder=folder, env=installation.env)


if __name__ == "__main__":
    end_on_sigterm()
    asyncio.run(main())

"""Fuzzes the API of the running program with schemathesis on both databases (`make api-fuzz`).

A run fails if schemathesis finds a fault or exceeds the time limit, if the program logs an error, or if a route never
succeeds. DNS and Slack are stand-ins, so nothing leaves the machine.
"""

# ruff: noqa: T201 - a command that prints its result

import argparse
import asyncio
import json
import os
import signal
import smtplib
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from api.resources import ROUTES
from router.admin.access.keys import KeyService
from router.admin.access.users import UserService
from router.clock import SystemClock
from router.model import Actor
from tests.support import mails, seeds
from tests.support.dns import DnsStandIn
from tests.support.installation import DOMAIN, Installation, migrated_installation, split_address
from tests.support.postgres import private_postgres
from tests.support.process import ROOT, Program
from tests.support.slack import SlackStandIn
from tests.support.stores import KINDS
from tests.system.api import fuzz_good

MAILS = 30
# `positive_data_acceptance` is omitted: a schema cannot express which ids exist and which names are taken.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)


@dataclass(frozen=True)
class FuzzTarget:
    """The API of a running program. `facts` is the input of `tests.system.api.fuzz_hooks`."""

    url: str
    key: str
    facts: dict[str, object]


async def prepare(installation: Installation, ready: dict[str, Any], slack: SlackStandIn, folder: Path) -> FuzzTarget:
    """Creates an admin, tickets, and the objects for one valid request per route."""
    actor, clock = Actor(installation.workspace_id, "admin"), SystemClock()
    login = {"email": "fuzz@example.org", "password": "correct horse battery"}
    user = await UserService(installation.database, clock, base_url=ready["api"]).create(actor, **login, role="admin")
    api_key = await KeyService(installation.database, clock).create(actor, name="fuzz", user_id=user.id)
    await asyncio.to_thread(_send, *split_address(ready["smtp"][0]))
    tables = ("tickets", "messages", "deliveries", "domains", "integrations", "aliases")
    ids = [str(row["id"]) for table in tables for row in await installation.execute(f"SELECT id FROM {table}")]
    webhooks = {name: slack.url(name) for name in ("alive", "gone")}
    url = f"http://{ready['api']}/api"
    domain = await seeds.insert_domain(installation.database, installation.workspace_id, fuzz_good.DOMAIN)
    good = await fuzz_good.valid_requests(
        url, api_key.plaintext, login=login, domain=domain, webhooks=webhooks, smtp=split_address(ready["smtp"][0])
    )
    facts: dict[str, object] = {
        "ids": ids,
        "protected": [user.id, api_key.key.id, *good.reserved_ids],
        "good": {
            f"{route.method} {route.path}": {**good.requests[f"{route.method} {route.path}"], "status": route.status}
            for route in ROUTES
        },
        "login": login,
        "webhooks": list(webhooks.values()),
        "counts": str(folder / "counts.json"),
    }
    return FuzzTarget(url, api_key.plaintext, facts)


def _send(host: str, port: int) -> None:
    with smtplib.SMTP(host, port) as client:
        for number in range(MAILS):
            make = mails.with_attachment if number % 2 else mails.html
            client.sendmail("ada@customer.test", [f"support@{DOMAIN}"], make(subject=f"Mail {number}"))


async def run_schemathesis(target: FuzzTarget, folder: Path, arguments: argparse.Namespace) -> int:
    """Returns the exit code of schemathesis, or 1 if it exceeds the time limit."""
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{target.url}/openapi.json", "--url", target.url]
    command += ["--header", f"Authorization: Bearer {target.key}", "--checks", ",".join(CHECKS)]
    command += ["--phases", "examples,coverage,fuzzing,stateful", "--max-examples", str(arguments.examples)]
    command += ["--continue-on-failure", "--no-color", "--warnings", "off", "--generation-database", "none"]
    command += ["--suppress-health-check", "all", "--request-timeout", "30", *arguments.schemathesis_options]
    if arguments.seed is not None:
        command += ["--seed", str(arguments.seed)]
    env = os.environ | {
        "SCHEMATHESIS_HOOKS": "tests.system.api.fuzz_hooks",
        "API_FUZZ": json.dumps(target.facts),
        "PYTHONPATH": str(ROOT),
        "NO_PROXY": "*",
    }
    process = await asyncio.create_subprocess_exec(*command, env=env, cwd=folder)
    try:
        return await asyncio.wait_for(process.wait(), arguments.minutes * 60)
    except TimeoutError:
        print(f"not done within {arguments.minutes} minutes")
        return 1
    finally:
        if process.returncode is None:  # on SIGINT schemathesis reports its findings so far
            process.send_signal(signal.SIGINT)
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()
                await process.wait()


def report(kind: str, counts: dict[str, dict[str, int]], seconds: float) -> bool:
    """Prints a summary. Returns whether every route succeeded and no response was a 5xx.

    Args:
        counts: The number of responses by route and status.
    """
    total: Counter[int] = Counter()
    for by_status in counts.values():
        total.update({int(status): number for status, number in by_status.items()})
    failed_calls = [
        f"{route.method} {route.path}"
        for route in ROUTES
        if str(route.status) not in counts.get(f"{route.method} {route.path}", {})
    ]
    summary = ", ".join(f"{number} x {status}" for status, number in sorted(total.items()))
    print(f"{kind}: {total.total()} responses in {seconds:.0f} s: {summary}")
    for call in failed_calls:
        print(f"{kind}: {call} never succeeded")
    return not failed_calls and not any(status >= 500 for status in total)


async def fuzz_database(kind: str, arguments: argparse.Namespace) -> bool:
    """Returns whether a run on one kind of database succeeds."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        slack = await stack.enter_async_context(SlackStandIn())
        dns = await stack.enter_async_context(DnsStandIn())
        url = None
        if kind == "postgres":
            server = await stack.enter_async_context(private_postgres())
            url = await server.create_database()
        installation = await stack.enter_async_context(migrated_installation(folder, slack, url))
        settings = installation.settings | {
            "api.requests_per_minute": 0,
            "api.requests_per_day": 0,
            "dns.nameservers": [dns.address],
            "checks.enabled": True,
        }
        slack.remove_webhook("gone")
        slack.remove_webhook("general")  # makes the first deliveries fail, so that they can be replayed
        program = await stack.enter_async_context(Program("serve", env=settings, cwd=folder))
        target = await prepare(installation, await program.ready(), slack, folder)
        started_at = time.monotonic()
        code = await run_schemathesis(target, folder, arguments)
        counts = folder / "counts.json"
        passed = report(kind, json.loads(counts.read_text()) if counts.exists() else {}, time.monotonic() - started_at)
        errors = [event for event in program.log_events() if event.get("level") in ("error", "critical")]
        for event in errors[:10]:
            print(f"{kind}: logged {json.dumps(event)}")
        exit_status = await program.terminate()
        if exit_status:
            print(f"{kind}: the program exited with {exit_status}")
        return passed and not code and not errors and not exit_status


async def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("kinds", nargs="*", metavar="KIND", help=" or ".join(KINDS))
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--minutes", type=float, default=30, help="for each database")
    parser.add_argument("--seed", type=int)
    arguments, options = parser.parse_known_args()
    arguments.schemathesis_options = options
    results = [await fuzz_database(kind, arguments) for kind in arguments.kinds or KINDS]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))

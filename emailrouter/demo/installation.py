"""Runs `emailrouter demo`: the whole program on this machine, with local stand-ins for Slack and the DNS.

Uses a temporary SQLite database, which is deleted at the end, and free ports of 127.0.0.1.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from config.load import load
from config.schema import Config
from emailrouter import lifecycle
from emailrouter.assembly import ROLES
from emailrouter.demo import dns_server, slack
from emailrouter.demo.dns_server import DemoDns
from emailrouter.demo.slack import DemoSlack
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.clock import SystemClock

HOSTNAME = "mx1.emailrouter.test"
DOMAIN = "example.org"

Print = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo with its first login and its stand-ins."""

    api: str
    smtp: tuple[str, int]
    login: FirstLogin
    slack: DemoSlack
    dns: DemoDns


@asynccontextmanager
async def run_demo(echo: Print) -> AsyncIterator[Demo]:
    async with AsyncExitStack() as stack:
        stand_in = await stack.enter_async_context(slack.run_slack())
        dns = await stack.enter_async_context(dns_server.run_dns())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emailrouter-demo-")))
        echo(f"A stand-in for Slack listens at 127.0.0.1:{stand_in.port}, a stand-in for the DNS at {dns.address}")
        config = build_config(folder, dns.address)
        database = await lifecycle.open_database(config, apply_migrations=True)
        echo(f"Created an empty database: {folder / 'demo.db'}")
        process = await stack.enter_async_context(lifecycle.run_roles(config, frozenset(ROLES), database))
        login = await SetupService(database, SystemClock()).create_first_workspace("admin@example.org")
        facts = lifecycle.ready_facts(process)
        host, _, port = facts["smtp"][0].rpartition(":")
        echo(f"The program accepts mail at {facts['smtp'][0]} and serves its API at http://{facts['api']}")
        yield Demo(f"http://{facts['api']}/api", (host, int(port)), login, stand_in, dns)


def build_config(folder: Path, nameserver: str) -> Config:
    settings = {
        "SERVER__HOSTNAME": HOSTNAME,
        "SERVER__DATA_DIR": str(folder),
        "SERVER__MX_HOSTS": json.dumps([{"host": HOSTNAME, "priority": 10}]),
        "DATABASE__URL": f"sqlite:///{folder / 'demo.db'}",
        "SMTP__LISTEN": json.dumps(["127.0.0.1:0"]),
        "API__LISTEN": "127.0.0.1:0",
        "DNS__NAMESERVERS": json.dumps([nameserver]),
        "DELIVERY__ALLOW_PRIVATE_NETWORKS": "true",
    }
    empty = folder / "demo.toml"
    empty.touch()  # keeps the configuration files of this machine from being read
    return load(empty, {f"EMAILROUTER_{name}": value for name, value in settings.items()})

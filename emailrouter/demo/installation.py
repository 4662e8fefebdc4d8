"""The installation of the demo: all roles in this process, with local stand-ins for Slack, a smarthost and the DNS.

Uses a temporary SQLite database, which is deleted at the end, and ports of 127.0.0.1 only.
"""

from __future__ import annotations

import errno
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from config.load import load
from config.schema import Config
from emailrouter import lifecycle
from emailrouter.assembly import ROLES
from emailrouter.assembly.core import Core
from emailrouter.demo import dns_server, ports, sign_in_link, slack, smarthost
from emailrouter.demo.clock import DemoClock
from emailrouter.demo.dns_server import DemoDns
from emailrouter.demo.mail_client import DemoFailed
from emailrouter.demo.ports import HOST, Ports
from emailrouter.demo.sign_in_link import SignInLink
from emailrouter.demo.slack import DemoSlack
from emailrouter.demo.smarthost import DemoSmarthost
from router import ids
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.model import Actor, Micros
from router.services import Services

HOSTNAME = "mx1.emailrouter.test"
DOMAIN = "example.org"

Print = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """A running demo with its first login and its stand-ins. `link` is the URL that signs the reader in."""

    web: str
    smtp: tuple[str, int]
    login: FirstLogin
    slack: DemoSlack
    smarthost: DemoSmarthost
    dns: DemoDns
    clock: DemoClock
    core: Core
    link: str

    @property
    def services(self) -> Services:
        return self.core.services

    @property
    def api(self) -> str:
        return f"{self.web}/api"

    @property
    def admin(self) -> Actor:
        return Actor(self.login.workspace_id, "admin", user_id=self.login.user_id)

    def authenticate(self, domain: str) -> None:
        """Lets the demo's own sender of mail pass SPF and DMARC for a domain."""
        self.dns.add(domain, "TXT", f'"v=spf1 ip4:{HOST} -all"')
        self.dns.add(f"_dmarc.{domain}", "TXT", '"v=DMARC1; p=quarantine"')


@asynccontextmanager
async def run_demo(echo: Print, *, keeps_running: bool = False, behind: Micros = 0) -> AsyncIterator[Demo]:
    """Runs the demo until the block ends.

    Args:
        echo: Receives a line for each part that has started.
        keeps_running: Whether to try the fixed ports first, which free ports replace if one of them is in use. Posted
            messages then also have links to their tickets.
        behind: How far the clock of the demo is behind that of the system, in microseconds.
    """
    for candidate in ports.candidates(fixed=keeps_running):
        lines: list[str] = []
        async with AsyncExitStack() as stack:
            try:
                demo = await _start(stack, candidate, DemoClock(behind), lines.append, with_links=keeps_running)
            except OSError as error:
                if error.errno != errno.EADDRINUSE:
                    raise
                continue
            for line in lines:
                echo(line)
            yield demo
            return
    raise DemoFailed("the ports that were free were taken by other programs: try again")


async def _start(stack: AsyncExitStack, chosen: Ports, clock: DemoClock, echo: Print, *, with_links: bool) -> Demo:
    # The charts count by the times that the ids contain.
    stack.enter_context(ids.dated_by(clock.now))
    link = SignInLink()
    # HEAD would start a session too.
    smtp = (HOST, chosen.smtp)
    relay = await stack.enter_async_context(smarthost.run_smarthost(chosen.smarthost, smtp))
    routes = [web.get(sign_in_link.PATH, link.follow, allow_head=False), web.get(smarthost.PATH, relay.show)]
    stand_in = await stack.enter_async_context(slack.run_slack(chosen.channels, clock=clock, routes=routes))
    dns = await stack.enter_async_context(dns_server.run_dns())
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emailrouter-demo-")))
    echo(f"A stand-in for Slack listens at {HOST}:{chosen.channels}, a stand-in for the DNS at {dns.address}")
    echo(f"A stand-in for a smarthost listens at {relay.url}")
    config = build_config(folder, chosen, dns.address)
    database = await lifecycle.open_database(config, apply_migrations=True)
    echo(f"Created an empty database: {folder / 'demo.db'}")
    base = config.server.public_url
    process = await stack.enter_async_context(
        lifecycle.run_roles(config, frozenset(ROLES), database, clock=clock, links=base if with_links else None)
    )
    process.core.reachability.expect_no_outside_mail()
    login = await SetupService(database, clock).create_first_workspace(f"admin@{DOMAIN}")
    echo(f"The program accepts mail at {HOST}:{chosen.smtp} and serves its API at {base}")
    demo = Demo(base, smtp, login, stand_in, relay, dns, clock, process.core, link.url(stand_in.base))
    link.target = sign_in_link.SignInTarget(demo.services, demo.admin, f"{base}/tickets")
    return demo


def build_config(folder: Path, chosen: Ports, nameserver: str) -> Config:
    settings = {
        "SERVER__HOSTNAME": HOSTNAME,
        "SERVER__PUBLIC_URL": f"http://{HOST}:{chosen.web}",
        "SERVER__DATA_DIR": str(folder),
        "SERVER__MX_HOSTS": json.dumps([{"host": HOSTNAME, "priority": 10}]),
        "DATABASE__URL": f"sqlite:///{folder / 'demo.db'}",
        "SMTP__LISTEN": json.dumps([f"{HOST}:{chosen.smtp}"]),
        "API__LISTEN": f"{HOST}:{chosen.web}",
        "DNS__NAMESERVERS": json.dumps([nameserver]),
        "OUTGOING__SMARTHOST": f"smtp://{HOST}:{chosen.smarthost}",
        "DELIVERY__ALLOW_PRIVATE_NETWORKS": "true",
    }
    empty = folder / "demo.toml"
    empty.touch()  # keeps the configuration files of this machine from being read
    return load(empty, {f"EMAILROUTER_{name}": value for name, value in settings.items()})

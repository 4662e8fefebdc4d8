"""Runs `emailrouter demo`: the whole program on this machine, with local stand-ins for Slack and the DNS.

Uses a temporary SQLite database, which is deleted at the end, and free ports of 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import json
import smtplib
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any

import aiohttp

from config.load import load
from config.schema import Config
from emailrouter import demo_dns, demo_slack, lifecycle
from emailrouter.assembly import ROLES
from emailrouter.demo_dns import DemoDns
from emailrouter.demo_slack import DemoSlack
from router.admin.installation.first_workspace import FirstLogin, SetupService
from router.clock import SystemClock

HOSTNAME = "mx1.emailrouter.test"
DOMAIN = "example.org"
STEP_SECONDS = 15.0  # time limit of a step

Print = Callable[[str], None]


class DemoFailed(Exception):  # noqa: N818 - an outcome, not an error in the code
    """A step of the demo did not have the expected result."""


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
        slack = await stack.enter_async_context(demo_slack.run_slack())
        dns = await stack.enter_async_context(demo_dns.run_dns())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="emailrouter-demo-")))
        echo(f"A stand-in for Slack listens at 127.0.0.1:{slack.port}, a stand-in for the DNS at {dns.address}")
        config = build_config(folder, dns.address)
        database = await lifecycle.open_database(config, apply_migrations=True)
        echo(f"Created an empty database: {folder / 'demo.db'}")
        process = await stack.enter_async_context(lifecycle.run_roles(config, frozenset(ROLES), database))
        login = await SetupService(database, SystemClock()).create_first_workspace("admin@example.org")
        facts = lifecycle.ready_facts(process)
        host, _, port = facts["smtp"][0].rpartition(":")
        echo(f"The program accepts mail at {facts['smtp'][0]} and serves its API at http://{facts['api']}")
        yield Demo(f"http://{facts['api']}/api", (host, int(port)), login, slack, dns)


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


async def run_steps(demo: Demo, echo: Print) -> None:
    """Sends one message to a new alias.

    Raises `DemoFailed` unless the ticket and exactly one Slack message appear.
    """
    headers = {"Authorization": f"Bearer {demo.login.key}"}
    timeout = aiohttp.ClientTimeout(total=STEP_SECONDS)
    async with aiohttp.ClientSession(headers=headers, timeout=timeout) as http:
        api = _Api(http, demo.api)
        await _set_up(api, demo, echo)
        queued_as = await _send_mail(demo, echo)
        post = await _wait_for_slack_message(demo, echo)
        ticket = await _fetch_ticket(api, echo)
    if ticket["messages"][0]["id"] != queued_as:
        raise DemoFailed(
            f"the ticket contains message {ticket['messages'][0]['id']}, but the reply was 'queued as {queued_as}'"
        )
    if ticket["subject"] not in json.dumps(post, ensure_ascii=False):
        raise DemoFailed("the Slack message does not contain the subject of the mail")
    if not demo.slack.messages.empty():
        raise DemoFailed("Slack received more than one message")


class _Api:
    """A client of the REST API. Raises `DemoFailed` for every failed request."""

    def __init__(self, http: aiohttp.ClientSession, base: str) -> None:
        self._http = http
        self._base = base

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        try:
            async with self._http.request(method, self._base + path, json=body) as response:
                data: dict[str, Any] = await response.json()
                if response.status >= 400:
                    raise DemoFailed(f"{method} {path} returned {response.status}: {data}")
                return data
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DemoFailed(f"{method} {path} failed: {type(error).__name__}: {error}") from error


async def _set_up(api: _Api, demo: Demo, echo: Print) -> None:
    domain = await api.call("POST", "/domains", {"domain": DOMAIN})
    (mx,) = domain["mxRecords"]
    echo(f"Added the domain {DOMAIN}, which needs the record: MX {mx['priority']} {mx['value']}")
    demo.dns.add(DOMAIN, "MX", f"{mx['priority']} {mx['value']}.")
    demo.dns.add(domain["txtRecord"]["name"], "TXT", f'"{domain["txtRecord"]["value"]}"')
    verified = await api.call("POST", f"/domains/{domain['id']}/verify")
    if not verified["verified"]:
        raise DemoFailed(f"the domain was not verified: {verified['records']}")
    echo("  ... the record is published, and the domain is verified")
    integration = await api.call(
        "POST", "/integrations", {"type": "slack", "name": "#support", "webhookUrl": demo.slack.url("support")}
    )
    await api.call(
        "POST",
        "/aliases",
        {"domainId": domain["id"], "localPart": "support", "integrationId": integration["id"]},
    )
    echo(f"Added the alias support@{DOMAIN}, which posts to the Slack channel #support")


async def _send_mail(demo: Demo, echo: Print) -> str:
    """Sends a mail by SMTP. Returns the id of the stored message, which the 250 reply contains."""
    mail = EmailMessage()
    mail["From"] = "Zoë Müller <zoe@customer.example>"
    mail["To"] = f"support@{DOMAIN}"
    mail["Subject"] = "Rechnung 42 – where is my order? 📦"
    mail["Date"] = formatdate()
    mail["Message-ID"] = make_msgid(domain="customer.example")
    mail.set_content("Hello,\n\nmy order has not arrived. The invoice is attached.\n\n-- \nZoë\n")
    mail.add_attachment(b"%PDF-1.4 demo\n", maintype="application", subtype="pdf", filename="Rechnung 42.pdf")
    echo(f"Sending a mail by SMTP from {mail['From']}, subject {mail['Subject']!r}")
    reply = await asyncio.to_thread(_submit, demo.smtp, "zoe@customer.example", mail)
    echo(f"  ... the server replied: {reply}")
    return reply.rpartition(" ")[2]


def _submit(address: tuple[str, int], sender: str, mail: EmailMessage) -> str:
    try:
        with smtplib.SMTP(*address, local_hostname="customer.example", timeout=STEP_SECONDS) as client:
            client.ehlo()
            client.mail(sender)
            client.rcpt(str(mail["To"]))
            code, text = client.data(mail.as_bytes())
    except (smtplib.SMTPException, OSError) as error:
        raise DemoFailed(f"the mail was not accepted: {error}") from error
    reply = f"{code} {text.decode()}"
    if code != 250:
        raise DemoFailed(f"the mail was not accepted: {reply}")
    return reply


async def _wait_for_slack_message(demo: Demo, echo: Print) -> dict[str, Any]:
    try:
        async with asyncio.timeout(STEP_SECONDS):
            message = await demo.slack.messages.get()
    except TimeoutError:
        raise DemoFailed(f"Slack received no message within {STEP_SECONDS:g} seconds") from None
    echo("Slack received this message:")
    echo(_indent_json(message.payload))
    return message.payload


async def _fetch_ticket(api: _Api, echo: Print) -> dict[str, Any]:
    tickets = (await api.call("GET", "/emails/tickets"))["tickets"]
    if len(tickets) != 1:
        raise DemoFailed(f"expected one ticket, found {len(tickets)}")
    ticket = await _wait_until_delivered(api, tickets[0]["id"])
    echo("The ticket, as returned by the REST API:")
    echo(_indent_json(ticket))
    return ticket


async def _wait_until_delivered(api: _Api, ticket_id: str) -> dict[str, Any]:
    """Polls the ticket, because its delivery is recorded shortly after Slack responds."""
    ticket: dict[str, Any] = {}
    try:
        async with asyncio.timeout(STEP_SECONDS):
            while True:
                ticket = await api.call("GET", f"/emails/tickets/{ticket_id}")
                if all(delivery["state"] == "delivered" for delivery in ticket["deliveries"]):
                    return ticket
                await asyncio.sleep(0.05)  # repeated for at most STEP_SECONDS
    except TimeoutError:
        raise DemoFailed(f"the deliveries were not completed in time: {ticket.get('deliveries')}") from None


def _indent_json(data: object) -> str:
    text = json.dumps(data, indent=2, ensure_ascii=False)
    return "\n".join("    " + line for line in text.splitlines())

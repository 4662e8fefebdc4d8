"""The proof of `emailrouter demo`: one mail becomes a ticket and exactly one Slack message."""

from __future__ import annotations

import asyncio
import json
from email.message import EmailMessage
from email.utils import formatdate
from importlib.resources import files
from typing import Any

import aiohttp

from emailrouter.demo.installation import DOMAIN, Demo, Print
from emailrouter.demo.mail_client import STEP_SECONDS, DemoFailed, submit
from router.clock import SECOND

MESSAGE_ID = "<rechnung-42@customer.example>"


async def run_steps(demo: Demo, echo: Print) -> dict[str, Any]:
    """Sends one message to a new alias. Returns the ticket, as returned by the REST API.

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
    return ticket


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
    mail["Date"] = formatdate(demo.clock.now() // SECOND)
    mail["Message-ID"] = MESSAGE_ID
    mail.set_content("Hello,\n\nmy order has not arrived. The invoice is attached.\n\n-- \nZoë\n")
    invoice = (files("emailrouter.demo") / "story" / "rechnung-42.pdf").read_bytes()
    mail.add_attachment(invoice, maintype="application", subtype="pdf", filename="Rechnung 42.pdf")
    echo(f"Sending a mail by SMTP from {mail['From']}, subject {mail['Subject']!r}")
    demo.authenticate("customer.example")
    reply = await asyncio.to_thread(submit, demo.smtp, "zoe@customer.example", str(mail["To"]), mail)
    echo(f"  ... the server replied: {reply}")
    return reply.rpartition(" ")[2]


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

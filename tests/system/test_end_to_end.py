"""The whole program: setup with the REST API, a received message, its post to Slack and the resolved ticket.

The fixture starts `serve` with a new SQLite file, or each role with PostgreSQL after `migrate` and `init`.
"""

import asyncio
import json
import re
import smtplib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation import HOST, program_settings, split_address
from tests.support.payloads import assert_slack_accepts
from tests.support.process import Program, run_cli
from tests.support.slack import SlackStandIn


@dataclass
class Running:
    """A running installation: its addresses, its API key and an HTTP client."""

    smtp: tuple[str, int]
    api: str
    key: str
    http: aiohttp.ClientSession

    async def call(self, method: str, path: str, body: object = None, expect: int = 200) -> Any:
        async with self.http.request(
            method, f"http://{self.api}{path}", json=body, headers={"Authorization": f"Bearer {self.key}"}
        ) as response:
            answer = await response.json() if response.status != 204 else None
            assert response.status == expect, (method, path, response.status, answer)
            return answer

    def send(self, mail: EmailMessage, *recipients: str) -> str:
        with smtplib.SMTP(*self.smtp, timeout=10) as client:
            client.ehlo("client.test")
            client.mail("zoe@customer.test")
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                assert code == 250, text
            code, text = client.data(mail.as_bytes())
            assert code == 250, text
            found = re.fullmatch(rb"2\.0\.0 Ok: queued as (msg_\w+)", text)
            assert found, text
            return found[1].decode()


@pytest.fixture(params=["serve on SQLite", "roles on PostgreSQL"])
async def running(request: pytest.FixtureRequest, dns_server: DnsStandIn, tmp_path: Path) -> AsyncIterator[Running]:
    sqlite = f"sqlite:///{tmp_path / 'mail.db'}"
    env = {**program_settings(sqlite, tmp_path), "dns.nameservers": [dns_server.address]}
    programs: list[Program] = []
    try:
        async with aiohttp.ClientSession() as http:
            if request.param == "serve on SQLite":
                programs.append(Program("serve", env=env, cwd=tmp_path, fresh=True))
                await programs[0].start()
                facts = await programs[0].ready()
                found = re.search(r"er_\w+", (tmp_path / "first-login").read_text())
                assert found
                assert (tmp_path / "first-login").stat().st_mode & 0o777 == 0o600
                assert found[0] not in programs[0].stderr_text
                yield Running(split_address(facts["smtp"][0]), facts["api"], found[0], http)
            else:
                env["database.url"] = await request.getfixturevalue("postgres_server").create_database()
                env["server.secret_key"] = "one-key-for-all-of-these-hosts"
                (await run_cli("migrate", env=env, cwd=tmp_path, fresh=True)).ok()
                login = (await run_cli("init", "--json", "--email", "ann@host.test", env=env, cwd=tmp_path)).ok().json()
                assert set(login) == {"workspaceId", "email", "password", "key"}
                ready: dict[str, Any] = {}
                for role in ("smtp", "api", "deliver"):
                    programs.append(Program(role, env=env, cwd=tmp_path, fresh=True))
                    await programs[-1].start()
                    ready |= await programs[-1].ready()
                    env["smtp.listen"] = ready["smtp"]  # for the test message of the api process
                yield Running(split_address(ready["smtp"][0]), ready["api"], login["key"], http)
    finally:
        codes = [await program.terminate() for program in programs]
    assert codes == [0] * len(programs)
    for program in programs:
        assert "Traceback" not in program.stderr_text


async def test_setup_to_resolved_ticket(running: Running, dns_server: DnsStandIn, slack: SlackStandIn) -> None:
    call = running.call
    domain = await call("POST", "/api/domains", {"domain": "Example.ORG"}, expect=201)
    assert domain["status"] == "pending_verification"
    (mx,) = domain["mxRecords"]
    assert mx == {"priority": 10, "value": HOST}

    checked = await call("POST", f"/api/domains/{domain['id']}/verify")
    assert checked["verified"] is False
    assert any(record["fix"] for record in checked["records"])
    with smtplib.SMTP(*running.smtp, timeout=10) as client:
        client.ehlo("client.test")
        client.mail("zoe@customer.test")
        assert client.rcpt("support@example.org")[0] == 450

    dns_server.set("example.org", "MX", f"10 {HOST}.")
    assert (await call("POST", f"/api/domains/{domain['id']}/verify"))["status"] == "active"

    integration = await call(
        "POST",
        "/v1/integrations",
        {"type": "slack", "name": "#support", "webhookUrl": slack.url("support")},
        expect=201,
    )
    assert set(integration) >= {"id", "type", "name", "createdAt"}
    assert slack.url("support") not in json.dumps(await call("GET", "/api/integrations"))
    alias = await call(
        "POST",
        "/api/aliases",
        {"domainId": domain["id"], "localPart": "support", "integrationId": integration["id"]},
        expect=201,
    )
    assert alias["email"] == "support@example.org"

    mail = EmailMessage()
    mail["From"] = "Zoë Müller <zoe@customer.test>"
    mail["To"] = "support@example.org"
    mail["Subject"] = "Größe – 注文は?"
    mail["Message-ID"] = "<one@customer.test>"
    mail["Date"] = "Mon, 02 Feb 2026 10:00:00 +0000"
    mail.set_content("Where is my order?\n")
    mail.add_attachment(b"\x00\x01\xff" * 1000, maintype="application", subtype="octet-stream", filename="Größe.bin")
    message_id = running.send(mail, "support@example.org")
    assert running.send(mail, "support+again@example.org") == message_id, "a duplicate gets the same ID"

    (post,) = await slack.wait_for(1, "support", accepted=True)
    assert_slack_accepts(post.payload)
    posted = json.dumps(post.payload, ensure_ascii=False)
    for fact in (
        "Größe – 注文は?",
        "zoe@customer.test",
        "support@example.org",
        "#1",
        "Where is my order?",
        "Größe.bin",
    ):
        assert fact in posted, fact

    (listed,) = (await call("GET", "/api/emails/tickets/unassigned"))["tickets"]
    assert set(listed) >= {"id", "from", "fromName", "subject", "status", "assignedTo", "receivedAt"}
    assert (listed["from"], listed["fromName"], listed["subject"]) == (
        "zoe@customer.test",
        "Zoë Müller",
        "Größe – 注文は?",
    )
    ticket = await call("GET", f"/api/emails/tickets/{listed['id']}")
    assert ticket["number"] == 1
    (message,) = ticket["messages"]
    assert message["id"] == message_id
    assert message["text"].strip() == "Where is my order?"
    assert [a["filename"] for a in message["attachments"]] == ["Größe.bin"]
    claimed = await call("POST", f"/api/emails/tickets/{listed['id']}/claim")
    assert claimed["status"] == "in_progress"
    assert [t["id"] for t in (await call("GET", "/api/emails/tickets/mine"))["tickets"]] == [listed["id"]]
    resolved = await call("POST", f"/api/emails/tickets/{listed['id']}/status", {"status": "resolved"})
    assert resolved["status"] == "resolved"
    assert resolved["resolvedAt"]

    reply = EmailMessage()
    reply["From"] = "zoe@customer.test"
    reply["To"] = "support@example.org"
    reply["Subject"] = "Re: Größe – 注文は?"
    reply["Message-ID"] = "<two@customer.test>"
    reply["In-Reply-To"] = "<one@customer.test>"
    reply.set_content("It is still not here.\n")
    running.send(reply, "support@example.org")
    await slack.wait_for(2, "support", accepted=True)
    ticket = await call("GET", f"/api/emails/tickets/{listed['id']}")
    assert ticket["status"] == "open"
    assert ticket["assignedTo"] == claimed["assignedTo"]
    assert len(ticket["messages"]) == 2
    async with asyncio.timeout(10):
        while True:
            deliveries = (await call("GET", f"/api/deliveries?ticketId={listed['id']}"))["deliveries"]
            if [d["state"] for d in deliveries] == ["delivered", "delivered"]:
                break
            await asyncio.sleep(0.02)

    tested = await call("POST", f"/api/aliases/{alias['id']}/test", expect=202)
    assert split_address(tested["server"]) == running.smtp
    trace = await call("GET", f"/api/emails/messages/{tested['messageId']}/trace")
    assert "ESMTP" in json.dumps(trace["events"][0])
    *_, post = await slack.wait_for(3, "support", accepted=True)
    assert post.payload["text"].startswith("Test: ")


def test_demo_succeeds(tmp_path: Path) -> None:
    finished = asyncio.run(run_cli("demo", "--once", cwd=tmp_path, fresh=True))
    assert finished.code == 0, finished.stderr
    assert "It works" in finished.stdout
    # Programs read the two indented JSON objects: the Slack message and the ticket.
    objects = re.findall(r"^    \{.*?^    \}$", finished.stdout, re.MULTILINE | re.DOTALL)
    posted, ticket = map(json.loads, objects)
    assert posted["blocks"][0]["text"]["text"] == ticket["subject"] == "Rechnung 42 – where is my order? 📦"
    assert (ticket["number"], ticket["deliveries"][0]["state"]) == (1, "delivered")
    assert f"queued as {ticket['messages'][0]['id']}\n" in finished.stdout
    assert list(tmp_path.iterdir()) == []

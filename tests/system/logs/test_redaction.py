"""Nothing private is logged, even at debug level."""

import base64
import re
from pathlib import Path
from typing import Any

import aiohttp

from tests.support import mails
from tests.support.behaviours import FixedResponse, Reset
from tests.support.dns import DnsStandIn
from tests.support.installation import UNPACED, program_settings, split_address
from tests.support.process import Program, run_cli
from tests.support.slack import SlackStandIn
from tests.support.smtp import RawSmtp, send_mail

PASSWORD = "correct horse battery staple"
BODY = "The parcel with the sapphire ring never came."
CHANNEL = "hiddenwebhookpath"
SECRET_KEY = "a-secret-key-that-must-not-be-logged"


def settings(dns: DnsStandIn, folder: Path) -> dict[str, object]:
    own = {"server.log_level": "debug", "metrics.listen": "127.0.0.1:0", "dns.nameservers": [dns.address]}
    return {**program_settings(f"sqlite:///{folder / 'mail.db'}", folder, SECRET_KEY), **UNPACED, **own}


async def test_nothing_private_is_logged(tmp_path: Path, dns_server: DnsStandIn, slack: SlackStandIn) -> None:
    env = settings(dns_server, tmp_path)
    private: dict[str, str] = {
        "password": PASSWORD,
        "body": BODY[:20],
        "body in base64": base64.b64encode(BODY.encode()).decode()[:40],
        "webhook": CHANNEL,
        "secret key": SECRET_KEY,
    }
    async with Program("serve", env=env, cwd=tmp_path) as program, aiohttp.ClientSession() as http:
        facts = await program.ready()
        shown = (tmp_path / "first-login").read_text()
        for what, pattern in (("first key", r"API key +(\S+)"), ("first password", r"password +(\S+)")):
            found = re.search(pattern, shown)
            assert found
            private[what] = found[1]
        email = re.search(r"email +(\S+)", shown)
        assert email

        async def call(method: str, path: str, body: object = None, key: str = private["first key"]) -> Any:
            headers = {"Authorization": f"Bearer {key}"}
            async with http.request(method, f"http://{facts['api']}{path}", json=body, headers=headers) as response:
                return await response.json() if response.content_type == "application/json" else None

        await _exercise_program(call, dns_server, slack, facts["smtp"][0], private, email[1])
        await program.wait_event("delivery.sent")
        await program.wait_event("delivery.retry_scheduled")
        await program.wait_event("delivery.failed")
        program.send_sighup()
        assert await program.terminate() == 0

    output = program.stderr_text + program.stdout_text
    for name in ("smtp.accepted", "smtp.refused", "smtp.client_connected"):
        assert program.log_events(name), f"no event {name}"
    assert {what for what, text in private.items() if text in output} == set()
    for event in program.log_events("smtp.accepted") + program.log_events("delivery.sent"):
        assert event["message_id"].startswith("msg_")


async def _exercise_program(  # noqa: PLR0917 - a parameter for each part of the installation
    call: Any, dns: DnsStandIn, slack: SlackStandIn, smtp: str, private: dict[str, str], email: str
) -> None:
    """Causes many kinds of events. Slack rejects or resets some posts."""
    domain = await call("POST", "/api/domains", {"domain": "example.org"})
    dns.set("example.org", "MX", "10 mx1.host.test.")
    assert (await call("POST", f"/api/domains/{domain['id']}/verify"))["verified"]
    webhook = slack.url(CHANNEL)
    integration = await call("POST", "/api/integrations", {"type": "slack", "name": "#ring", "webhookUrl": webhook})
    alias = {"domainId": domain["id"], "localPart": "support", "integrationId": integration["id"]}
    await call("POST", "/api/aliases", alias)
    await call("POST", "/api/integrations", {"type": "slack", "name": "#x", "webhookUrl": f"ftp://h/{CHANNEL}"})
    await call("POST", "/api/users", {"email": "bo@host.test", "name": "Bo", "role": "agent", "password": PASSWORD})
    created = await call("POST", "/api/keys", {"name": "robot", "role": "agent"})
    private["second key"] = created["key"]
    await call("GET", "/api/domains", key=created["key"] + "x")
    for password in (private["first password"], PASSWORD + "!"):
        await call("POST", "/api/auth/login", {"email": email, "password": password})

    host, port = split_address(smtp)
    echo = FixedResponse(500, f"failed: {BODY[:20]} at /services/T000/B000/{CHANNEL}")
    slack.script(CHANNEL, FixedResponse(200, "ok"), Reset(), echo)
    contents = [
        mails.plain(text=BODY),
        mails.with_attachment(text=BODY, content=BODY.encode()),
        mails.html(markup=f"<p>{BODY}</p>"),
        b"\r\n" + BODY.encode(),
    ]
    for content in contents:
        assert (await send_mail(host, port, "ada@customer.test", ["support@example.org"], content)).code == 250
    assert (await send_mail(host, port, "ada@customer.test", ["nobody@example.org"], contents[0])).code == 550
    async with await RawSmtp.connect(host, port) as client:
        await client.command("EHLO client.test", 250)
        await client.command(BODY, 500)
    slack.remove_webhook(CHANNEL)
    assert (
        await send_mail(host, port, "ada@customer.test", ["support@example.org"], mails.plain(text=BODY))
    ).code == 250


async def test_database_password_is_not_logged(tmp_path: Path) -> None:
    env = {
        "database.url": "postgresql://mail:topsecret@127.0.0.1:1/mail",
        "server.log_level": "debug",
        "server.data_dir": str(tmp_path),
    }
    async with Program("smtp", env=env, cwd=tmp_path) as program:
        await program.wait_event("database.unavailable")
        await program.terminate()
    assert "topsecret" not in program.stderr_text
    finished = await run_cli("migrate", env=env, cwd=tmp_path)
    assert finished.code == 1
    assert "topsecret" not in finished.stderr + finished.stdout

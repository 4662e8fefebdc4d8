"""Each command in docs/api.md returns the documented status and fields."""

import asyncio
import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

from api.examples import examples, parse_document
from api.resources import ROUTES
from api.schema.shape import EmptyBody
from router.outbound.smarthost.access import SmarthostAccess
from router.outbound.smarthost.client import SmarthostClient
from router.outbound.smarthost.outcome import ProbeResult
from tests.support import mails
from tests.support.dns import DnsStandIn
from tests.support.installation import HOST
from tests.support.installation.http import ApiReply, ServedInstallation, serve_api, served_settings
from tests.support.sender_checks import SPAM, done, store_checks
from tests.support.slack import SlackStandIn
from tests.support.stores import Store

DOCUMENT = Path(__file__).parents[3] / "docs" / "api.md"
_CALL = re.compile(r"^### (\w+) (/api\S*)\n(.*?)(?=^#|\Z)", re.MULTILINE | re.DOTALL)
_COMMAND = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_ANSWER = re.compile(r"`(\d{3})`\n(?:\n```json\n(.*?)```)?", re.DOTALL)
_VARIABLES = {
    "dom": "DOMAIN",
    "int": "INTEGRATION",
    "alias": "ALIAS",
    "ticket": "TICKET",
    "msg": "MESSAGE",
    "dlv": "DELIVERY",
    "user": "USER",
    "key": "KEY_ID",
    "evt": "NOTE",
    "tpl": "TEMPLATE",
    "can": "CANNED_RESPONSE",
    "rpl": "REPLY",
}


_HEADERS = {"Reply-To": "Werkstatt Kunde <werkstatt@customer.test>"}


class ReachableSmarthost(SmarthostClient):
    """Answers the test of a smarthost whose name does not exist."""

    async def probe(self, access: SmarthostAccess) -> ProbeResult:
        return ProbeResult(
            "accepted", "auth", None, "", tls="TLSv1.3", is_authenticated=True, supports_smtputf8=True,
            max_message_bytes=26_214_400, latency=84_000,
        )  # fmt: skip


async def prepare(served: ServedInstallation, dns: DnsStandIn, slack: SlackStandIn) -> dict[str, str]:
    """Creates the objects that the documented commands use. Returns the shell variables of the commands."""
    await served.create_alias("office", "office.example")
    await served.accept_ticket(
        mails.with_attachment(to="office@office.example", headers=_HEADERS), "office@office.example"
    )
    ticket = (await served.admin.get("/emails/tickets")).body["tickets"][0]
    delivery = (await served.admin.get("/deliveries")).body["deliveries"][0]
    await served.execute("UPDATE domains SET sending = 'active'")
    await served.database.execute(
        "dispatch_mark_dead", id=delivery["id"], reason="failed permanently: connection refused"
    )
    served.services.sender_checks.enabled = True
    served.services.sending.client = ReachableSmarthost(helo=HOST)
    await store_checks(served, delivery["messageId"], done("pass", spam=SPAM))
    await served.services.sessions.sign_in(served.login.email, served.login.password, address="127.0.0.1")
    session = (await served.services.sessions.list(served.actor))[0]
    tag = await served.services.tickets.tags.create(served.actor, "Spares")
    dns.set("example.com", "MX", f"10 {HOST}.")
    dns.set("acme.example", "MX", "5 in1-smtp.messagingengine.com.")
    return {
        "URL": served.root,
        "KEY": served.login.key,
        "TICKET": ticket["id"],
        "MESSAGE": delivery["messageId"],
        "DELIVERY": delivery["id"],
        "WEBHOOK_URL": slack.url("support"),
        "EMAIL": served.login.email,
        "PASSWORD": served.login.password,
        "SESSION": session.id,
        "ME": served.login.user_id,
        "TAG": tag.id,
    }


async def fail_replies(served: ServedInstallation) -> None:
    """Makes all replies such that the smarthost has refused their recipients."""
    await served.execute("UPDATE replies SET state = 'failed', last_error = '550 5.1.1 User unknown'")
    await served.execute(
        "UPDATE reply_recipients SET state = 'failed', code = 550, text = '5.1.1 User unknown', at = 1"
    )
    await served.execute("UPDATE deliveries SET state = 'dead', next_attempt_at = NULL WHERE target = 'smarthost'")
    await served.execute(
        "INSERT INTO attempts (delivery_id, n, started_at, outcome, answer) "
        "SELECT id, 1, created_at, 'rejected', '5.1.1 User unknown' FROM deliveries WHERE target = 'smarthost'"
    )


async def run_command(command: str, known: dict[str, str], folder: Path) -> ApiReply:
    """Runs a documented command and stores the id of a created object in `known`.

    The `.curlrc` in `folder` makes curl append a line with the status and the content type.
    """
    env = {"PATH": os.environ["PATH"], "CURL_HOME": str(folder), "NO_PROXY": "*", **known}
    process = await asyncio.create_subprocess_exec(
        "sh", "-euc", command, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, error_output = await process.communicate()
    assert process.returncode == 0, (command, error_output.decode())
    content, _, line = output.rpartition(b"\n")
    status, _, content_type = line.decode().partition(" ")
    body: Any = json.loads(content) if content_type.startswith("application/json") else None
    reply = ApiReply(int(status), {}, body, content)
    if "-X POST" in command and reply.status in (201, 202) and "id" in body:
        variable = _VARIABLES.get(body["id"].partition("_")[0])
        if variable:
            known[variable] = body["id"]
    return reply


def _shape(value: Any) -> Any:
    """Returns the field names on all levels, in lists those of the first entry. Omits `preview` and `detail`."""
    if isinstance(value, dict):
        return {name: _shape(inner) for name, inner in value.items() if name not in ("preview", "detail")}
    if isinstance(value, list):
        return [_shape(value[0])] if value else []
    return None


def test_openapi_examples_match_the_document() -> None:
    """`python -m api.examples` updates the examples."""
    assert examples() == parse_document(DOCUMENT.read_text(encoding="utf-8"))
    for route in ROUTES:
        example = examples()[f"{route.method} {route.path}"]
        assert ("request" in example) == (route.body is not EmptyBody)
        assert ("answer" in example) == (route.answer is not None)
        route.body.model_validate(example.get("request", {}), by_alias=True)


async def test_every_command_of_the_document(
    store: Store, tmp_path: Path, dns_server: DnsStandIn, slack: SlackStandIn
) -> None:
    assert shutil.which("curl"), "the commands of the document need curl (apt-get install curl)"
    (tmp_path / ".curlrc").write_text(
        'silent\nshow-error\nmax-time = 60\nwrite-out = "\\n%{http_code} %{content_type}"\n'
    )
    text = DOCUMENT.read_text()
    calls = list(_CALL.finditer(text))
    assert {(call[1], re.sub(r"[?].*", "", call[2])) for call in calls} == {
        (route.method, f"/api{route.path}") for route in ROUTES
    }
    settings = served_settings(dns_server) | {"outgoing.smarthost": "smtp://127.0.0.1:2525"}
    async with serve_api(store, settings) as served, served.run_smtp():
        known = await prepare(served, dns_server, slack)
        for call in calls:
            command, answer = _COMMAND.search(call[3]), _ANSWER.search(call[3])
            assert command is not None, call[0]
            assert answer is not None, call[0]
            reply = await run_command(command[1], known, tmp_path)
            if call[1] == "POST" and call[2].endswith("/replies"):
                await fail_replies(served)
            assert reply.status == int(answer[1]), (call[0], reply.content)
            if answer[2]:
                shown = json.loads(answer[2])
                assert _shape(reply.body) == _shape(shown), call[0]

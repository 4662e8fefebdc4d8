"""A channel that a test registers appears everywhere, without any other edit."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import validate

from emailrouter.check.check_context import CheckContext
from emailrouter.check.integrations import integrations as check_integrations
from router.channels import CHANNELS, reference
from router.clock import SystemClock
from router.dns.resolver import DnsResolver
from router.errors import Refused
from router.provisioning import document
from router.provisioning.apply import DocumentApplier
from router.provisioning.export import export_document, take_snapshot
from tests.support.behaviours import FixedResponse
from tests.support.installation.command_line import initialise
from tests.support.installation.dashboard import signed_in_client
from tests.support.installation.fixtures import sqlite_served
from tests.support.installation.http import ServedInstallation
from tests.support.installation.settings import make_config
from tests.support.process import run_cli
from tests.support.slack import SlackStandIn
from tests.support.telegraph import TELEGRAPH

__all__ = ["sqlite_served"]

LINE = "/lines/very-secret-line"
KEY = "very-secret-key"
PROGRAM = ("-m", "tests.support.telegraph_program")


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CHANNELS, TELEGRAPH.kind, TELEGRAPH)


def root(slack: SlackStandIn) -> str:
    return f"http://127.0.0.1:{slack.port}"


@pytest.fixture
def line(slack: SlackStandIn) -> str:
    """The URL of an HTTP server that accepts every message."""
    slack.default(LINE, FixedResponse(200, '{"number": 7}'))
    return f"{root(slack)}{LINE}"


def sent_key(slack: SlackStandIn) -> str | None:
    """Returns the operator key in the last message."""
    return slack.posts_to(LINE)[-1].headers.get("Authorization")


def body(line: str, **settings: str | None) -> dict[str, Any]:
    return {"type": TELEGRAPH.kind, "name": "Post", "settings": {"lineUrl": line, "station": "Kiel", **settings}}


async def test_rest(sqlite_served: ServedInstallation, slack: SlackStandIn, line: str) -> None:
    admin = sqlite_served.admin
    created = await admin.post("/integrations", body(line, callSign="DL1ABC"))
    assert (created.status, created.body["settings"]) == (201, {"station": "Kiel", "callSign": "DL1ABC"})
    assert created.body["hint"] == f"{root(slack)}/\u2026/line"
    path = f"/integrations/{created.body['id']}"
    changed = await admin.patch(path, {"settings": {"callSign": None, "station": " Bremen "}})
    assert (changed.status, changed.body["settings"]) == (200, {"station": "Bremen"})
    for wrong, field, message in (
        ({"station": None}, "settings.station", "Station is required"),
        ({"callSign": "no"}, "settings.callSign", "Call sign must be 3 to 8 capital letters and digits"),
        ({"callSign": 5}, "settings.callSign", "Call sign must be a string"),
        ({"lineUrl": "ftp://x.test/a"}, "settings.lineUrl", "Invalid line URL: it must start with https://"),
        (
            {"webhookUrl": line},
            "settings.webhookUrl",
            "webhookUrl is not a setting of tele_graph; its settings are: lineUrl, station, callSign, operatorKey",
        ),
    ):
        refused = await admin.patch(path, {"settings": wrong})
        assert (refused.status, refused.code, refused.field) == (400, "invalid_request", field)
        assert refused.body["error"]["message"] == message
    top_level = await admin.post("/integrations", {"type": TELEGRAPH.kind, "name": "Post", "webhookUrl": line})
    assert (top_level.status, top_level.field) == (400, "webhookUrl")
    assert (await admin.get(path)).body == changed.body
    assert "very-secret" not in created.content.decode() + changed.content.decode()


async def test_openapi(sqlite_served: ServedInstallation) -> None:
    found = (await sqlite_served.anonymous.get("/openapi.json")).body
    validate(found)
    schemas = found["components"]["schemas"]
    mapping = schemas["IntegrationCreate"]["discriminator"]["mapping"]
    assert set(mapping) == set(CHANNELS)
    assert mapping["tele_graph"] == "#/components/schemas/TeleGraphIntegrationCreate"
    assert {"type", "name", "settings"} <= set(schemas["TeleGraphIntegrationCreate"]["required"])
    settings = schemas["TeleGraphSettings"]
    assert (settings["required"], list(settings["properties"])) == (
        ["lineUrl", "station"],
        ["lineUrl", "station", "callSign", "operatorKey"],
    )
    assert settings["properties"]["operatorKey"]["type"] == ["string", "null"]
    assert settings["properties"]["callSign"]["pattern"] == r"^\s*(?:[A-Z0-9]{3,8})\s*$"
    assert list(schemas["TeleGraphPublicSettings"]["properties"]) == ["station", "callSign"]
    assert schemas["TeleGraphSettingChanges"]["required"] == []


async def test_dashboard(sqlite_served: ServedInstallation, slack: SlackStandIn, line: str) -> None:
    served = sqlite_served
    admin = await signed_in_client(served, "admin")
    page = await admin.get("/manage/integrations?add=yes")
    assert 'href="?add=tele_graph"' in page.text
    assert 'name="webhookUrl"' in page.text
    page = await admin.get("/manage/integrations?add=tele_graph")
    assert re.findall(r'<input type="(\w+)" id="f-(\w+)"', page.text) == [
        ("text", "name"),
        ("url", "lineUrl"),
        ("text", "station"),
        ("text", "callSign"),
        ("password", "operatorKey"),
    ]
    assert "The URL of your line." in page.visible_text
    assert '<a href="https://telegraph.test/lines?new=1" rel="noreferrer">telegraph.test/lines</a>' in page.text
    form = {"type": "tele_graph", "name": "Post", "lineUrl": line, "station": "Kiel", "callSign": "no"}
    refused = await admin.post("/manage/integrations", form)
    assert (refused.status, 'id="e-callSign"' in refused.text, "very-secret" in refused.text) == (400, True, False)
    assert 'value="Kiel"' in refused.text
    page = await admin.post_and_follow("/manage/integrations", form | {"callSign": ""})
    (url,) = set(re.findall(r'action="(/manage/integrations/int_\w+)/settings"', page.text))
    assert 'value="Kiel"' in page.text
    assert "very-secret" not in page.text
    page = await admin.post_and_follow(f"{url}/settings", {"lineUrl": "", "station": "Bremen", "callSign": "DL1ABC"})
    assert 'value="DL1ABC"' in page.text
    page = await admin.post_and_follow(f"{url}/test", {})
    assert slack.posts_to(LINE)[-1].payload == {"to": "Bremen", "form": "test", "words": "Post"}
    page = await admin.post_and_follow(f"{url}/settings", {"callSign": ""})
    assert ('value="DL1ABC"' in page.text, 'value="Bremen"' in page.text) == (False, True)


async def test_setup(sqlite_served: ServedInstallation, slack: SlackStandIn, line: str) -> None:
    admin = await signed_in_client(sqlite_served, "admin")
    await admin.post_and_follow("/set-up/domain", {"domain": "example.org", "confirmed": "example.org"})
    page = await admin.get("/set-up?add=tele_graph")
    assert "or Telegraph:" in page.visible_text
    assert "Choose Rent line and copy its URL." in page.visible_text
    form = {"type": "tele_graph", "name": "Post", "lineUrl": line, "station": "Kiel", "callSign": ""}
    page = await admin.post_and_follow("/set-up/integration", form)
    assert 'id="step-integration" class="done"' in page.text
    (url,) = re.findall(r'action="(/set-up/integrations/int_\w+/settings)"', page.text)
    page = await admin.post_and_follow(url, {"lineUrl": "", "station": "Bremen", "callSign": ""})
    assert 'value="Bremen"' in page.text
    assert [post.payload["form"] for post in slack.posts_to(LINE)] == ["test", "test"]


async def test_export_and_apply(sqlite_served: ServedInstallation, line: str) -> None:
    served = sqlite_served
    await served.admin.post("/integrations", body(line))
    services = served.services

    async def plan(text: str, secret: str | None) -> tuple[list[str], list[str]]:
        applier = DocumentApplier(services, served.core.poster, lambda _: secret)
        found = applier.plan(document.parse(text), await take_snapshot(services, served.actor), prune=True)
        await applier.execute(served.actor, found)
        return [f"{change.action} {change.name}: {change.detail}" for change in found.changes], found.notes

    text = document.render(export_document(await take_snapshot(services, served.actor), CHANNELS))
    assert 'settings = { line_url = "env:TELE_GRAPH_LINE_POST", station = "Kiel" }' in text
    assert await plan(text, line) == ([], [])
    unset = ["integration Post: env:TELE_GRAPH_LINE_POST is not set, so its line URL stays unchanged"]
    assert await plan(text, None) == ([], unset)
    changed = text.replace('station = "Kiel"', 'station = "Bremen", call_sign = "DL1ABC"')
    assert await plan(changed, None) == (["change Post: station: Kiel -> Bremen, call_sign: none -> DL1ABC"], unset)
    assert await plan(changed, None) == ([], unset)
    ((detail,), _) = await plan(text, f"{line}-two")
    assert re.fullmatch(
        r"change Post: line_url: \S+/\u2026/line -> env:TELE_GRAPH_LINE_POST, station: Bremen -> Kiel, "
        "call_sign: DL1ABC -> none",
        detail,
    )
    for wrong, message in (
        (
            'settings = { line_url = "env:X", station = "Kiel", operator_key = "env:Y" }',
            "integrations[1].settings.call_sign: Call sign is required with an operator key",
        ),
        ('settings = { station = "Kiel" }', "integrations[1].settings.line_url is missing"),
        (f'settings = {{ line_url = "{line}", station = "Kiel" }}', "integrations[1].settings.line_url must be a ref"),
        ('settings = { line_url = "env:X", colour = "red" }', "integrations[1].settings.colour is not a known key;"),
        ('settings = { line_url = "env:X", station = 5 }', "integrations[1].settings.station must be a valid string"),
        ('webhook_url = "env:X"', "integrations[1].webhook_url is not a known key; allowed keys: line_url, station"),
        ('settings = { line_url = "env:X", station = " " }', "integrations[1].settings.station ( ): Station is"),
    ):
        with pytest.raises(Refused, match=re.escape(message)):
            await plan(f'[[integrations]]\nname = "Post"\ntype = "tele_graph"\n{wrong}\n', line)


async def test_check(sqlite_served: ServedInstallation, slack: SlackStandIn, line: str) -> None:
    await sqlite_served.admin.post("/integrations", body(line))
    config = make_config(sqlite_served.settings)
    context = CheckContext(config, DnsResolver([("127.0.0.1", 9)]), SystemClock(), sqlite_served.database)
    (result,) = await check_integrations(context)
    assert (result.check, result.status, result.text) == (
        "integration Post",
        "ok",
        "127.0.0.1 is reachable without TLS",
    )
    await slack.stop()
    (result,) = await check_integrations(context)
    assert (result.status, result.text[:27]) == ("fail", "no connection to 127.0.0.1:")


async def test_reference() -> None:
    text = reference.render([TELEGRAPH])
    assert "1. Open <https://telegraph.test/lines?new=1>.\n2. Choose **Rent line** and copy its URL.\n" in text
    assert "At most 0.5 messages a second are sent after the first 2" in text
    assert "| `callSign` | `call_sign` | `--call-sign` | Call sign. Optional. The call sign of the sender" in text
    assert "| `operatorKey` | `operator_key` | `--operator-key` | Operator key. Secret. Optional. The key" in text


async def test_command_line(tmp_path: Path, line: str, slack: SlackStandIn) -> None:
    cli = await initialise(tmp_path)

    async def run(*args: str, stdin: str = "") -> Any:
        return await run_cli(*args, env=cli.env, cwd=tmp_path, stdin=stdin.encode(), command=PROGRAM)

    (tmp_path / "line").write_text(line)
    station, secret = ("--station", "Kiel"), ("--line-url-file", "line")
    added = (await run("integration", "add", "Post", "--type", "tele_graph", *secret, *station, "--json")).ok().json()
    assert (added["type"], added["settings"]) == ("tele_graph", {"station": "Kiel"})
    changed = await run("integration", "change", "Post", "--call-sign", "DL1ABC", "--json")
    assert changed.ok().json()["settings"] == {"station": "Kiel", "callSign": "DL1ABC"}
    changed = await run("integration", "change", "Post", "--call-sign", "", "--line-url", "-", "--json", stdin=line)
    assert changed.ok().json()["settings"] == {"station": "Kiel"}
    signed = ("change", "Post", "--call-sign", "DL1ABC", "--operator-key")
    for key, stdin, sent in (("-", KEY, f"Key {KEY}"), ("", "", None)):
        (await run("integration", *signed, key, stdin=stdin)).ok()
        (await run("integration", "test", "Post")).ok()
        assert sent_key(slack) == sent
    for key, message in (("-", "standard input must contain one line"), (KEY, "--operator-key accepts only `-`")):
        refused = await run("integration", *signed, key)
        assert (refused.code, message in refused.stderr) == (2, True), refused.stderr
    for args, code, message in (
        (("change", "Post", "--webhook-url", "-"), 2, "--webhook-url is not an option of the type tele_graph: use "),
        (("add", "Two", *station), 2, "--station is not an option of the type slack: use --webhook-url or "),
        (("add", "Two", "--type", "tele_graph", *secret), 2, "--station is missing"),
        (("add", "Two", "--type", "tele_graph", *station), 2, "--line-url is missing"),
        (("change", "Post", "--call-sign", "no"), 1, "Call sign must be 3 to 8 capital letters and digits"),
        (("change", "Post"), 2, "--line-url-file, --station, --call-sign, --operator-key or --operator-key-file"),
        (("change", "Post", "--line-url", ""), 2, "--line-url accepts only `-`"),
    ):
        done = await run("integration", *args, stdin=line)
        assert (done.code, message in done.stderr) == (code, True), done.stderr
    text = (await run("integration", "add", "--help")).ok().stdout
    assert "Only for tele_graph." in " ".join(text.split())
    assert "--tele-graph" in (await run("ticket", "show", "--help")).ok().stdout
    (await run("integration", "test", "Post")).ok()
    assert json.loads(slack.posts_to(LINE)[-1].raw) == {"to": "Kiel", "form": "test", "words": "Post"}

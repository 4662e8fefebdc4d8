"""The commands of each noun, such as `domain`, print the fields of the API and have fixed exit codes."""

import os
import re
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.command_line import ADMIN, WEBHOOK, CommandLine
from tests.support.process import run_cli
from tests.support.slack import SlackStandIn
from tests.support.stores import sqlite_database

# Some tests run dozens of commands, each in a new process.
pytestmark = pytest.mark.timeout(600)


async def test_first_day_of_an_operator(both: CommandLine, dns_server: DnsStandIn, slack: SlackStandIn) -> None:
    """An operator sets up an empty installation and replays a delivery."""
    cli = both
    cli.env["dns.nameservers"] = [dns_server.address]
    dns_server.set("example.org", "MX", "1 smtp.google.com.")
    adding = (await cli("domain", "add", "https://www.Example.ORG/", "--json")).ok()
    assert adding.stderr.startswith("Warning: Google Workspace receives the mail of example.org.")
    assert "add help.example.org here instead" in adding.stderr
    added = adding.json()
    assert (added["domain"], added["status"]) == ("example.org", "pending_verification")
    assert added["mxRecords"] == [{"priority": 10, "value": "mx1.host.test"}]

    pending = await cli("domain", "verify", "example.org")
    assert pending.code == 1
    assert "Zone file\n  example.org. 3600 IN MX 10 mx1.host.test.\n  _emailrouter.example.org." in pending.stdout
    dns_server.set("example.org", "MX", "10 mx1.host.test.")
    dns_server.set(added["txtRecord"]["name"], "TXT", added["txtRecord"]["value"])
    assert (await cli.json("domain", "verify", "example.org"))["verified"] is True

    integration = await cli.json(
        "integration", "add", "#support", "--webhook-url", "-", stdin=slack.url("support") + "\n"
    )
    assert integration["name"] == "#support"
    tested = await cli.json("integration", "test", "#support")
    assert (tested["ok"], tested["status"]) == (True, 200)

    noted = ("--forwarded-from", "Support@Acme.example")
    alias = await cli.json("alias", "add", "support@example.org", "--integration", "#support", *noted)
    assert set(alias) >= {"id", "email", "localPart", "domainId", "integrationId", "status", "createdAt"}
    assert alias["forwardedFrom"] == "Support@acme.example"
    assert alias["integrationId"] == integration["id"]
    checks = ("--on-fail", "quarantine", "--spam-score", "6.5")
    assert (await cli.json("alias", "change", "support@example.org", *checks))["senderChecks"]["spamScore"] == 6.5
    inherits = await cli.json("alias", "change", "support@example.org", "--on-fail", "inherit")
    assert inherits["senderChecks"] == {"onFail": None, "onSpam": None, "spamScore": 6.5, "reject": []}
    shown = (await cli("alias", "show", "support@example.org")).ok().stdout
    assert "onFail: as the workspace, onSpam: as the workspace, spamScore: 6.5\n" in shown
    shown = (await cli("alias", "change", "support@example.org", "--spam-score", "inherit")).ok().stdout
    assert re.search(r"^Sender checks +as the workspace$", shown, re.MULTILINE)
    assert (await cli.json("workspace", "change", *checks))["senderChecks"]["onFail"] == "quarantine"
    assert (await cli.json("workspace", "change", "--on-fail", "default"))["senderChecks"]["onFail"] == "flag"
    assert "is not a valid float" in await cli.error_line("workspace", "change", "--spam-score", "many", code=2)

    explained = await cli("explain", "support+vip@example.org", "--from", "a@b.example", "--subject", "Hello")
    assert "250 2.1.5 Ok" in explained.ok().stdout
    assert "vip" in explained.stdout

    async with cli.run_smtp():
        mail = await cli.json("alias", "test", "support@example.org")
        assert [mail["server"]] == cli.env["smtp.listen"]
    ticket = await cli.json("ticket", "show", "#1")
    assert ticket["id"] == mail["ticketId"]
    assert ticket["messages"][0]["id"] == mail["messageId"]
    shown = (await cli("ticket", "show", "1")).ok().stdout
    assert "This is a test of support@example.org" in shown

    traced = await cli.json("trace", mail["messageId"])
    assert [event["event"] for event in traced["events"]] == ["received", "opened", "delivery"]
    assert (await cli.json("trace", "#1"))["traces"] == [traced]
    output = (await cli("trace", "1")).ok().stdout
    assert (output.splitlines()[0], "protocol=ESMTP" in output) == (mail["messageId"], True)
    assert "'2' not found" in await cli.error_line("trace", "2")
    cli.env["checks.enabled"] = True
    rechecked = (await cli("trace", "--recheck", "1")).ok()
    assert f"{mail['messageId']} is queued for another check of its sender." in rechecked.stderr

    deliveries = await cli.json("delivery", "list", "--ticket", "1", "--state", "pending")
    assert [each["ticketId"] for each in deliveries["deliveries"]] == [ticket["id"]]
    one = deliveries["deliveries"][0]["id"]
    assert (await cli.json("delivery", "show", one))["id"] == one
    assert (await cli.json("delivery", "replay", one))["state"] == "pending"
    assert (await cli.json("delivery", "replay", "--integration", "#support", "--state", "pending"))["replayed"] == 1
    assert (await cli.json("delivery", "replay", "--all"))["replayed"] == 0

    assert "is used by aliases (1)" in await cli.error_line("integration", "remove", "#support", "--yes")

    for _ in range(5):  # on a busy host, the time limit can expire before the database has answered
        status = await cli("status", "--json")
        assert (status.code, status.stderr) == (1, ""), "nothing runs"
        if "acceptedLast24h" in status.json():
            break
    assert (status.json()["acceptedLast24h"], status.json()["waitingDeliveries"]) == (1, 1)
    for words, name in (
        ("alias show sup", "support@example.org"),
        ("domain show Ex", ""),
        ("domain show ex", "example.org"),
        ("integration test #", "#support"),
        ("ticket list --assigned-to ad", ADMIN),
        ("ticket list --workspace E", "Email Router"),
    ):
        assert await _complete(cli, words) == name, words


async def _complete(cli: CommandLine, words: str) -> str:
    """Completes the last word in the way of click and bash."""
    line = f"emailrouter {words}"
    variables = {"_EMAILROUTER_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words.split()))}
    done = await cli(env=variables)
    assert (done.code, done.stderr) == (0, "")
    return done.stdout.strip().removeprefix("plain,")


@pytest.mark.parametrize(
    "args",
    [
        ("ticket", "list", "--tag", "\udcff"),
        ("ticket", "tag", "1", "--add", "a", "--add", "\udcff"),
        ("tag", "change", "\udcff", "--name", "x"),
        ("tag", "remove", "\udcff", "--yes"),
        ("integration", "show", "\udcff"),
    ],
)
async def test_arguments_that_are_not_utf8(cli: CommandLine, args: tuple[str, ...]) -> None:
    assert "not valid UTF-8" in await cli.error_line(*args, code=2)


async def test_users_and_keys(cli: CommandLine) -> None:
    user = await cli.json("user", "add", "bob@example.org", "--name", "Bob", "--password", "-", stdin="a password\n")
    assert (user["email"], user["role"], user["canSignIn"]) == ("bob@example.org", "agent", True)
    assert "already" in await cli.error_line("user", "add", "BOB@example.org")
    assert "--password accepts only `-`" in await cli.error_line(
        "user", "add", "c@example.org", "--password", "clear", code=2
    )

    changed = await cli.json("user", "change", "bob@example.org", "--role", "viewer")
    assert (changed["role"], changed["timezone"]) == ("viewer", None)
    zoned = await cli.json("user", "change", "bob@example.org", "--timezone", "Asia/Tokyo")
    assert zoned == changed | {"timezone": "Asia/Tokyo"}
    assert await cli.json("user", "change", "bob@example.org", "--no-timezone") == changed
    assert "must be an IANA time zone" in await cli.error_line(
        "user", "change", "bob@example.org", "--timezone", "Mars"
    )
    assert "cannot be used together" in await cli.error_line(
        "user", "change", "bob@example.org", "--timezone", "UTC", "--no-timezone", code=2
    )
    generated = await cli.json("user", "set-password", "bob@example.org", "--generate-password")
    assert len(generated["password"]) == 16
    assert "between 8" in await cli.error_line(
        "user", "set-password", "bob@example.org", "--password", "-", stdin="x\n"
    )
    assert "--password is missing" in await cli.error_line("user", "set-password", "bob@example.org", code=2)

    key = await cli.json("key", "create", "backup", "--user", "bob@example.org", "--expires", "90d")
    assert key["key"].startswith("er_")
    assert "key" not in await cli.json("key", "show", key["id"])
    assert "must not exceed the user's role" in await cli.error_line(
        "key", "create", "x", "--user", "bob@example.org", "--role", "admin"
    )
    assert "must be a time" in await cli.error_line("key", "create", "x", "--user", ADMIN, "--expires", "soon", code=2)
    (await cli("key", "remove", key["id"], "--yes")).ok()
    listed = (await cli.json("key", "list"))["keys"]
    assert [each["revokedAt"] is not None for each in listed if each["id"] == key["id"]] == [True]

    (await cli("user", "disable", "bob@example.org")).ok()
    assert "bob@example.org is enabled." in (await cli("user", "enable", "bob@example.org")).ok().stdout
    (await cli("user", "remove", "bob@example.org", "--yes")).ok()
    assert "last admin" in await cli.error_line("user", "remove", ADMIN, "--yes")


async def test_integration_secret_stays_masked(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "hook").write_text(WEBHOOK + "\n")
    (await cli("integration", "add", "one", "--webhook-url-file", "hook")).ok()
    (await cli("integration", "add", "one", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    for command in (("list",), ("list", "--json")):
        assert "abcdefgh" not in (await cli("integration", *command)).ok().stdout
    assert "Integration name 'one' is ambiguous" in await cli.error_line("integration", "show", "one")
    assert "--webhook-url is missing" in await cli.error_line("integration", "add", "two", code=2)
    assert "Invalid webhook URL" in await cli.error_line(
        "integration", "add", "two", "--webhook-url", "-", stdin="ftp://x/y"
    )
    assert "--webhook-url accepts only `-`" in await cli.error_line(
        "integration", "change", "one", "--webhook-url", WEBHOOK, code=2
    )
    discord = ("--type", "discord", "--webhook-url", "-", "--thread-id", "general")
    error = await cli.error_line("integration", "add", "two", *discord, stdin="https://discord.com/api/webhooks/1/a")
    assert error.endswith("--thread-id: Thread ID must be a positive number of up to 19 digits")
    assert "no-such-file" in await cli.error_line("integration", "add", "two", "--webhook-url-file", "no-such-file")
    ids = [each["id"] for each in (await cli.json("integration", "list"))["integrations"]]
    renamed = await cli.json("integration", "change", ids[0], "--name", "two")
    assert renamed["name"] == "two"
    (await cli("integration", "remove", "two", "--yes")).ok()
    cli.env["server.data_dir"] = str(tmp_path / "elsewhere")
    assert "secret_key is missing" in await cli.error_line("integration", "change", "one", "--name", "x", code=2)
    assert len((await cli.json("integration", "list"))["integrations"]) == 1


async def test_aliases_and_domains(cli: CommandLine) -> None:
    (await cli("domain", "add", "müller.example")).ok()
    (await cli("domain", "add", "b.example")).ok()
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    for address in ("Hilfe@müller.example", "*@b.example"):
        (await cli("alias", "create", address, "--integration", "general")).ok()
    assert "already exists" in await cli.error_line("alias", "add", "hilfe@MÜLLER.example", "--integration", "general")
    assert "Domain 'c.example' not found" in await cli.error_line(
        "alias", "add", "a@c.example", "--integration", "general"
    )
    assert "Integration 'nix' not found" in await cli.error_line("alias", "add", "a@b.example", "--integration", "nix")
    assert "is not an email address" in await cli.error_line("alias", "add", "nobody", "--integration", "general")
    emails = {each["email"] for each in (await cli.json("alias", "list"))["aliases"]}
    assert emails == {"Hilfe@xn--mller-kva.example", "*@b.example"}
    table = (await cli("alias", "list", "--domain", "müller.example")).ok().stdout.splitlines()
    assert table[0].split() == ["Address", "Integration", "Status"]
    assert table[1].split()[:3] == ["Hilfe@xn--mller-kva.example", "general", "active"]
    assert (await cli.json("alias", "disable", "HILFE@müller.example"))["status"] == "disabled"
    assert "not verified" in await cli.error_line("alias", "test", "*@b.example")
    assert (await cli.json("alias", "enable", "hilfe@müller.example"))["status"] == "active"

    assert "aliases" in await cli.error_line("domain", "remove", "b.example", "--yes")
    assert "Confirmation needs a terminal" in await cli.error_line("domain", "remove", "b.example", "--force", code=2)
    (await cli("domain", "rm", "b.example", "--force", "--yes")).ok()
    assert "Domain 'b.example' not found" in await cli.error_line("domain", "show", "b.example")
    assert "Domain name is invalid" in await cli.error_line("domain", "add", "no dots")

    page = await cli("domain", "list", "--limit", "1", "--json")
    assert "nextCursor" not in page.ok().json()
    page = await cli("audit", "list", "--limit", "2", "--json")
    cursor = page.ok().json()["nextCursor"]
    rest = await cli.json("audit", "list", "--cursor", cursor, "--all")
    assert "nextCursor" not in rest
    assert {entry["userId"] for entry in rest["audit"]} == {None}
    assert rest["audit"][-1]["action"] == "domain.create"


async def test_blocked_senders(cli: CommandLine, tmp_path: Path) -> None:
    for sender in ("@Spam.example", "192.0.2.0/24", "mallory@bad.example"):
        (await cli("blocked-sender", "add", sender)).ok()
    assert "already blocked" in await cli.error_line("blocked-sender", "add", "@spam.example")
    listed = await cli.json("blocked-sender", "list")
    assert [each["sender"] for each in listed["blockedSenders"]] == [
        "192.0.2.0/24",
        "@spam.example",
        "mallory@bad.example",
    ]
    file = tmp_path / "senders.txt"
    file.write_text("# May\n\n.spam.example\n  192.0.2.0/24\n", encoding="utf-8")
    many = await cli.json("blocked-sender", "add", "--file", str(file), "--action", "spam", "--note", "May")
    assert ([each["sender"] for each in many["blockedSenders"]], many["alreadyListed"]) == (
        [".spam.example"],
        ["192.0.2.0/24"],
    )
    (await cli("blocked-sender", "remove", "@spam.example", "--yes")).ok()
    assert "not found" in await cli.error_line("blocked-sender", "remove", "@spam.example", "--yes")


async def test_allowed_senders(cli: CommandLine) -> None:
    added = (await cli("allowed-sender", "add", "@a.example", "@b.example", "--no-auth", "--note", "Partner")).ok()
    assert "2 senders are allowed." in added.stdout
    listed = await cli.json("allowed-sender", "list")
    assert [(each["sender"], each["requireAuth"]) for each in listed["allowedSenders"]] == [
        ("@a.example", False),
        ("@b.example", False),
    ]
    (await cli("allowed-sender", "remove", "@a.example", "--yes")).ok()
    assert "give a sender" in await cli.error_line("allowed-sender", "add", code=2)


async def test_workspace_option_is_required_with_several(both: CommandLine) -> None:
    cli = both
    created = await cli.json("workspace", "create", "Second", "--email", "boss@second.example")
    assert set(created) == {"workspaceId", "email", "password", "key"}
    error = await cli.error_line("domain", "list", code=2)
    assert "--workspace is required" in error
    assert created["workspaceId"] in error
    for where in (("--workspace", "Second"), ("--workspace", created["workspaceId"])):
        assert (await cli.json("domain", "list", *where))["domains"] == []
        assert (await cli.json("domain", *where, "list"))["domains"] == []
    assert "Workspace 'Third' not found" in await cli.error_line("domain", "list", "--workspace", "Third")
    (await cli("domain", "add", "second.example", "--workspace", "Second")).ok()
    first = (await cli.json("workspace", "list"))["workspaces"][0]["id"]
    assert "Domain 'second.example' not found" in await cli.error_line(
        "domain", "show", "second.example", "--workspace", first
    )
    assert "--yes" in await cli.error_line("workspace", "remove", "Second", code=2)
    (await cli("workspace", "remove", "Second", "--yes")).ok()
    assert len((await cli.json("workspace", "list"))["workspaces"]) == 1
    assert (await cli.json("workspace", "change", "--name", "Acme"))["name"] == "Acme"
    local = await cli.json("workspace", "change", "--timezone", "Europe/Berlin", "--locale", "de")
    assert (local["name"], local["timezone"], local["locale"]) == ("Acme", "Europe/Berlin", "de")
    error = await cli.error_line("workspace", "change", "--timezone", "Mars")
    assert error.strip() == "emailrouter: timezone must be an IANA time zone such as Europe/Berlin"
    assert "'xx' is not one of" in await cli.error_line("workspace", "change", "--locale", "xx", code=2)
    assert "Integration 'x' not found" in await cli.error_line("workspace", "change", "--default-integration", "x")


async def test_missing_database_is_reported_and_not_created(tmp_path: Path) -> None:
    env = {"database.url": "sqlite:///nowhere.db"}
    done = await run_cli("domain", "list", env=env, cwd=tmp_path)
    assert (done.code, done.stdout) == (1, "")
    assert re.fullmatch(r"emailrouter: there is no database at nowhere.db: run .*\n", done.stderr)
    assert os.listdir(tmp_path) == []  # noqa: PTH208 - ASYNC240 forbids Path.iterdir here
    unreachable = await run_cli("domain", "list", env={"database.url": "postgresql://u@127.0.0.1:9/x"}, cwd=tmp_path)
    assert unreachable.code == 1
    assert unreachable.stderr.startswith("emailrouter: the database is unavailable")


async def test_running_process_applies_changes(cli: CommandLine) -> None:
    """Running processes compare the routing version, which a change of the routing must increment."""
    (await cli("domain", "add", "example.org")).ok()
    before = await _version(cli)
    (await cli("domain", "remove", "example.org", "--yes")).ok()
    assert await _version(cli) > before


async def _version(cli: CommandLine) -> int:
    database = sqlite_database(cli.folder / "emailrouter.db")
    await database.open()
    row = await database.fetch_one("routing_version")
    await database.close()
    assert row is not None
    version: int = row["version"]
    return version

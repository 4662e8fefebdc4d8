"""Commands for tickets and tags."""

import json
import re

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.command_line import ADMIN, WEBHOOK, CommandLine

# Some tests run dozens of commands, each in a new process.
pytestmark = pytest.mark.timeout(600)


async def test_ticket_commands_act_on_behalf_of_a_user(cli: CommandLine) -> None:
    await _create_ticket(cli)
    await cli.json("user", "add", "Eve@Example.org", "--role", "agent")
    invited = await cli.json("user", "invite", "viewer@example.org", "--role", "viewer")
    assert (invited["role"], invited["canSignIn"]) == ("viewer", False)
    answer = (await cli("user", "reset", "viewer@example.org", "--json")).ok()
    assert answer.stderr.startswith("The link opens only on this host: set server.public_url")
    reset = json.loads(answer.stdout)
    assert reset.keys() == {"url", "expiresAt"}
    assert reset["expiresAt"] < invited["expiresAt"]
    for link in (invited["url"], reset["url"]):
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/set-password\?token=[\w-]{43}", link)
    assert "--as" in await cli.error_line("ticket", "claim", "1", code=2)
    assert "viewer" in await cli.error_line("ticket", "claim", "1", "--as", "viewer@example.org")

    claimed = await cli.json("ticket", "claim", "1", "--as", "eve@example.org")
    assert claimed["status"] == "in_progress"
    assert "already assigned" in await cli.error_line("ticket", "claim", "1", "--as", ADMIN)
    taken = await cli.json("ticket", "claim", "1", "--take-over", "--as", ADMIN)
    assert taken["assignedTo"] != claimed["assignedTo"]
    assert (await cli.json("ticket", "claim", "1", "--take-over", "--as", "eve@example.org"))["assignedTo"] == (
        claimed["assignedTo"]
    )
    mine = await cli.json("ticket", "list", "--assigned-to", "eve@example.org", "--status", "in_progress")
    assert [ticket["number"] for ticket in mine["tickets"]] == [1]
    assert (await cli.json("ticket", "list", "--unassigned"))["tickets"] == []
    waiting = (await cli.json("ticket", "list", "--sort", "waiting", "--automatic", "exclude"))["tickets"]
    assert [ticket["number"] for ticket in waiting] == [1]
    (sent,) = await cli.json("ticket", "show", "1", "--slack")
    assert sent["text"].startswith("Test: New ticket #1 from ")

    assert (await cli.json("ticket", "unclaim", "1"))["status"] == "open"
    assert (await cli.json("ticket", "assign", "1", ADMIN))["status"] == "in_progress"
    note = await cli.json("ticket", "note", "1", "-", "--as", "eve@example.org", stdin="Called back.\n")
    assert note["text"] == "Called back.\n"
    assert "Only the author" in await cli.error_line("ticket", "edit-note", "1", note["id"], "Mine", "--as", ADMIN)
    edited = await cli.json("ticket", "edit-note", "1", note["id"], "Called twice.", "--as", "eve@example.org")
    assert (edited["text"], edited["id"]) == ("Called twice.", note["id"])
    assert (await cli("ticket", "remove-note", "1", note["id"])).ok().stdout == "Note removed.\n"
    assert (await cli.json("ticket", "status", "1", "resolved"))["resolvedAt"] is not None
    assert "resolved" in await cli.error_line("ticket", "claim", "1", "--as", ADMIN)
    assert "'frozen' is not one of" in await cli.error_line("ticket", "status", "1", "frozen", code=2)
    low = await cli.json("ticket", "priority", "1", "not-urgent", "--as", "eve@example.org")
    assert low["priority"] == "low"
    assert "is not one of" in await cli.error_line("ticket", "priority", "1", "lowest", code=2)
    for priority, numbers in (("not-urgent", [1]), ("low", [1]), ("moderate", [])):
        found = await cli.json("ticket", "list", "--priority", priority)
        assert [ticket["number"] for ticket in found["tickets"]] == numbers, priority

    assert "--yes" in await cli.error_line("ticket", "remove", "1", code=2)
    (await cli("ticket", "remove", "1", "--yes")).ok()
    assert "Ticket '1' not found" in await cli.error_line("ticket", "show", "1")


async def test_template_and_canned_response_commands(cli: CommandLine) -> None:
    await _create_ticket(cli)
    made = await cli.json("template", "add", "Received", "--body", "Hi {name|there}", "--subject", "{subject}")
    assert (made["body"], made["subject"], made["mode"]) == ("Hi {name|there}", "{subject}", "text")
    assert "{name}, {email}" in await cli.error_line("template", "add", "Other", "--body", "{nme}")
    changed = await cli.json("template", "change", "received", "--subject", "", "--name", "Got it")
    assert (changed["name"], changed["subject"]) == ("Got it", "")
    alias = await cli.json(
        *("alias", "change", "help@example.org", "--acknowledge", "got it", "--reply-to-token"),
        *("--signature", "{agent}", "--sender-name", "{workspace}"),
    )
    assert (alias["acknowledge"], alias["replyToToken"]) == ({"templateId": made["id"]}, True)
    assert (alias["signature"], alias["senderName"]) == ("{agent}", "{workspace}")
    assert "Got it" in (await cli("alias", "show", "help@example.org")).ok().stdout
    assert "change the alias first" in await cli.error_line("template", "remove", "Got it", "--yes")
    assert (await cli.json("alias", "change", "help@example.org", "--acknowledge", ""))["acknowledge"] is None
    (await cli("template", "remove", "Got it", "--yes")).ok()
    assert (await cli.json("template", "list"))["templates"] == []
    own = await cli.json("canned-response", "add", "Hours", "--body", "9 to 5", "--alias", "help@example.org")
    await cli.json("canned-response", "add", "Hours", "--body", "All day")
    assert "ambiguous" in await cli.error_line("canned-response", "show", "hours")
    assert (await cli.json("canned-response", "change", own["id"], "--title", "Own", "--alias", ""))["aliasId"] is None
    (await cli("canned-response", "remove", "Own", "--yes")).ok()
    assert [each["title"] for each in (await cli.json("canned-response", "list"))["cannedResponses"]] == ["Hours"]


async def test_tag_commands(cli: CommandLine) -> None:
    await _create_ticket(cli)
    tagged = await cli.json("ticket", "tag", "1", "--add", "VIP", "--add", "Billing", "--as", ADMIN)
    assert tagged["tags"] == ["Billing", "VIP"]
    assert (await cli("ticket", "tag", "1", "--remove", "vip")).ok().stdout == "Tags: Billing.\n"
    output = (await cli("ticket", "tag", "1", "--add", "a,b")).ok().stdout
    assert output == 'Tags: "a,b", Billing.\n'
    shown = (await cli("ticket", "show", "1")).ok().stdout
    assert re.search('^Tags +"a,b", Billing$', shown, re.MULTILINE)
    assert "added: Billing, VIP" in shown
    (await cli("tag", "remove", "a,b", "--yes")).ok()
    assert [ticket["number"] for ticket in (await cli.json("ticket", "list", "--tag", "billing"))["tickets"]] == [1]
    assert (await cli.json("ticket", "list", "--tag", "VIP"))["tickets"] == []
    assert "must not be empty" in await cli.error_line("ticket", "tag", "1", "--add", "")
    assert [(tag["name"], tag["ticketCount"]) for tag in (await cli.json("tag", "list"))["tags"]] == [
        ("Billing", 1),
        ("VIP", 0),
    ]
    assert (await cli.json("tag", "change", "billing", "--color", "#1D76DB"))["color"] == "#1d76db"
    assert (await cli("tag", "change", "vip", "--name", "BILLING")).ok().stdout == "VIP was merged into Billing.\n"
    assert "#rrggbb" in await cli.error_line("tag", "change", "billing", "--color", "red")
    assert "--name or --color" in await cli.error_line("tag", "change", "billing", code=2)
    assert "--yes" in await cli.error_line("tag", "remove", "billing", code=2)
    (await cli("tag", "remove", "billing", "--yes")).ok()
    assert "Tag" in await cli.error_line("tag", "remove", "billing", "--yes")
    assert (await cli.json("ticket", "show", "1"))["tags"] == []


async def _create_ticket(cli: CommandLine) -> None:
    async with DnsStandIn() as dns:
        dns.set("example.org", "MX", "10 mx1.host.test.")
        cli.env["dns.nameservers"] = [dns.address]
        (await cli("domain", "add", "example.org")).ok()
        (await cli("domain", "verify", "example.org")).ok()
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    (await cli("alias", "add", "help@example.org", "--integration", "general")).ok()
    async with cli.run_smtp():
        (await cli("alias", "test", "help@example.org")).ok()

"""Commands for replies."""

import sqlite3

import pytest

from tests.support.installation.command_line import ADMIN, WEBHOOK, CommandLine

# The test runs a dozen commands, each in a new process.
pytestmark = pytest.mark.timeout(600)


def change(cli: CommandLine, statement: str) -> None:
    with sqlite3.connect(cli.folder / "emailrouter.db") as database:
        database.execute(statement)
    database.close()


async def test_reply_commands(cli: CommandLine) -> None:
    (await cli("domain", "add", "example.org")).ok()
    change(cli, "UPDATE domains SET status = 'active', sending = 'active'")
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    (await cli("alias", "add", "help@example.org", "--integration", "general")).ok()
    async with cli.run_smtp():
        (await cli("alias", "test", "help@example.org")).ok()
    cli.env["outgoing.smarthost"] = "smtp://127.0.0.1:2525"
    (cli.folder / "answer.txt").write_text("We are on our way.\n")
    (cli.folder / "invoice.pdf").write_bytes(b"%PDF-1.7")
    reply = ("ticket", "reply", "1", "--text-file")
    assert "can be answered" in await cli.error_line(*reply, "answer.txt")
    (cli.folder / "bad.txt").write_bytes(b"\xff")
    assert "is not valid UTF-8" in await cli.error_line(*reply, "bad.txt", code=2)
    sent = await cli.json(
        *(
            *reply,
            "answer.txt",
            "--attach",
            "invoice.pdf",
            "--to",
            "Ann <ann@customer.test>",
            "--cc",
            "b@customer.test",
        ),
        *("--status", "resolved", "--as", ADMIN),
    )
    assert (sent["state"], sent["to"], sent["cc"]) == ("queued", ["ann@customer.test"], ["b@customer.test"])
    message = (await cli.json("ticket", "show", "1"))["messages"][-1]
    assert [file["filename"] for file in message["attachments"]] == ["invoice.pdf"]
    listed = (await cli("reply", "list", "--state", "queued", "--wide")).ok().stdout
    assert sent["id"] in listed
    assert "ann@customer.test, b@customer.test" in listed
    assert "is canceled" in (await cli("reply", "cancel", sent["id"])).ok().stdout
    assert "canceled already" in await cli.error_line("reply", "cancel", sent["id"])
    assert (await cli.json("ticket", "show", "1"))["messageCount"] == 1

    second = await cli.json(*reply, "-", "--to", "ann@customer.test", stdin="Hello.\n")
    assert "No recipient of this reply failed" in await cli.error_line("reply", "retry", second["id"])
    change(cli, "UPDATE reply_recipients SET state = 'failed' WHERE state = 'queued'")
    retried = await cli.json("reply", "retry", second["id"], "--to", "ann@new.test")
    assert [(each["address"], each["state"]) for each in retried["recipients"]] == [
        ("ann@customer.test", "canceled"),
        ("ann@new.test", "queued"),
    ]
    assert "ann@new.test" in (await cli("reply", "show", second["id"])).ok().stdout

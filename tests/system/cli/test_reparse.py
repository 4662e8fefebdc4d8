"""`reparse` replaces the stored text of messages, unless their raw content was erased."""

from pathlib import Path

from tests.support import seeds
from tests.support.installation.command_line import CommandLine
from tests.support.stores import sqlite_database

MAIL = b"From: a@b.test\r\nTo: c@example.org\r\nSubject: x\r\nContent-Type: text/plain\r\n\r\nHello there.\r\n"
DAY = 86_400_000_000


async def test_reparse_updates_texts(cli: CommandLine, tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "emailrouter.db")
    await database.open()
    workspace = await database.fetch_one("routing_first_workspace")
    assert workspace is not None
    now = seeds.NOW
    for name, received_at, raw in (("old", now - 30 * DAY, MAIL), ("new", now, MAIL), ("erased", now, None)):
        message_id = f"msg_{name.rjust(26, '0')}"
        await seeds.execute(
            database,
            "INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size, "
            "received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic) "
            "VALUES (:id, :workspace_id, '', '', '', '', '', '', 3, :received_at, '', '[]', '', '', '', '')",
            id=message_id,
            workspace_id=workspace["id"],
            received_at=received_at,
        )
        await seeds.execute(
            database,
            "INSERT INTO message_contents (message_id, text, quoted, html, attachments, warnings, parser, parsed_at) "
            "VALUES (:id, 'kept', '', '', '[]', '[]', 0, 0)",
            id=message_id,
        )
        if raw is not None:
            await seeds.execute(
                database, "INSERT INTO raw_chunks (message_id, n, data) VALUES (:id, 0, :data)", id=message_id, data=raw
            )

    async def texts() -> dict[str, object]:
        rows = await seeds.execute(database, "SELECT message_id, text FROM message_contents")
        return {str(row["message_id"]).removeprefix("msg_").lstrip("0"): row["text"] for row in rows}

    assert await cli.json("reparse", "--since", "7d") == {"messages": 1}
    assert await texts() == {"old": "kept", "new": "Hello there.", "erased": "kept"}
    done = await cli("reparse")
    assert done.ok().stdout == "2 messages were parsed again.\n"
    assert await texts() == {"old": "Hello there.", "new": "Hello there.", "erased": "kept"}
    assert await cli.json("reparse", "--workspace", workspace["id"]) == {"messages": 2}
    assert "must be a time" in await cli.error_line("reparse", "--since", "2030", code=2)
    assert "Workspace 'nix' not found" in await cli.error_line("reparse", "--workspace", "nix")
    await database.close()

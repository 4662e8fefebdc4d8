"""`move` copies every row to the other kind of database, and never changes a target that contains data."""

from pathlib import Path
from typing import Any

import pytest

from router.errors import Refused
from router.store import migrate
from router.store import move as moving
from router.store.move import TABLES, TableCounts, count_rows, move
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.installation.command_line import ADMIN, WEBHOOK, initialise
from tests.support.postgres import PostgresServer
from tests.support.stores import Store, postgres_database, postgres_store, sqlite_database, sqlite_store
from tests.system.upgrade.recording import load_rows, read_latest

ODD = 'Grüße 📦\n\t"quoted" \\N \u2028 end'


async def test_every_table_is_listed(store: Store) -> None:
    """A table that is not in `TABLES` would not be copied."""
    if isinstance(store.database, SqliteDatabase):
        # `move` does not copy the tables of the full-text index, but rebuilds it from ticket_search.
        asked = (
            "SELECT name FROM sqlite_master t WHERE type = 'table' AND name NOT LIKE 'sqlite_%' AND NOT EXISTS ("
            "SELECT 1 FROM sqlite_master v WHERE v.sql LIKE 'CREATE VIRTUAL%' "
            "AND (t.name = v.name OR substr(t.name, 1, length(v.name) + 1) = v.name || '_'))"
        )
    else:
        asked = "SELECT tablename AS name FROM pg_tables WHERE schemaname = current_schema()"
    rows = await seeds.execute(store.database, asked)
    tables = {str(row["name"]) for row in rows} - {"schema_versions"}
    assert tables == set(TABLES)


async def test_a_move_to_the_other_database_and_back(postgres_server: PostgresServer, tmp_path: Path) -> None:
    async with sqlite_store(tmp_path) as first, postgres_store(postgres_server) as second:
        await load_rows(first.database, read_latest())  # has rows of each table
        await _fill(first.database)
        before = await _content(first.database)
        there = await move(first.database, second.database, lambda *_: None)
        assert {each.table: each.source for each in there} == await count_rows(first.database)
        assert [each for each in there if not each.source or each.source != each.target] == []
        (tmp_path / "back").mkdir()
        async with sqlite_store(tmp_path / "back") as third:
            back = await move(second.database, third.database, lambda *_: None)
            assert back == there
            assert await _content(third.database) == before
            found = await seeds.execute(
                third.database, "SELECT rowid FROM ticket_words WHERE ticket_words MATCH 'lantern'"
            )
            assert [row["rowid"] for row in found] == [5]
            await migrate.check_schema(third.database)


async def test_a_target_with_data_is_not_changed(store: Store, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    async with sqlite_store(tmp_path / "from") as source:
        await _fill(source.database)
        await seeds.insert_workspace(store.database, "Theirs")
        before = await count_rows(store.database)
        with pytest.raises(Refused, match=r"not empty, nothing was moved: workspaces \(1\)"):
            await move(source.database, store.database, lambda *_: None)
        assert await count_rows(store.database) == before


async def test_an_interrupted_move_leaves_nothing_and_can_be_repeated(store: Store, tmp_path: Path) -> None:
    (tmp_path / "from").mkdir()
    async with sqlite_store(tmp_path / "from") as source:
        await _fill(source.database)
        progress: list[tuple[str, int, int]] = []

        def cut(table: str, done: int, total: int) -> None:
            progress.append((table, done, total))
            if table == "tickets":
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            await move(source.database, store.database, cut)
        assert ("messages", 1, 1) in progress
        left = await count_rows(store.database)
        assert {table: n for table, n in left.items() if n} == {"versions": 1}
        moved = await move(source.database, store.database, lambda *_: None)
        assert TableCounts("messages", 1, 1) in moved


async def test_a_move_reads_one_snapshot(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows written to the source during the copy are not copied."""
    (tmp_path / "to").mkdir()
    await _fill(store.database)
    other = (
        sqlite_database(store.database.path)
        if isinstance(store.database, SqliteDatabase)
        else postgres_database(store.url)
    )
    await other.open()
    check = moving._check_empty

    async def write_meanwhile(side: Any) -> None:
        await check(side)
        await seeds.insert_workspace(other, "Late")

    monkeypatch.setattr(moving, "_check_empty", write_meanwhile)
    async with sqlite_store(tmp_path / "to") as target:
        moved = await move(store.database, target.database, lambda *_: None)
    await other.close()
    assert TableCounts("workspaces", 1, 1) in moved
    assert (await count_rows(store.database))["workspaces"] == 2


async def test_the_move_command(postgres_url: str, tmp_path: Path) -> None:
    cli = await initialise(tmp_path)
    (await cli("integration", "add", "general", "--webhook-url", "-", stdin=WEBHOOK)).ok()
    done = await cli("move", "--to", postgres_url, "--json")
    tables = {each["table"]: each for each in done.ok().json()["tables"]}
    assert tables["integrations"] == {"table": "integrations", "source": 1, "target": 1}
    assert "integrations 1\n" in done.stderr
    assert "not empty" in (await cli("move", "--to", "-", stdin=postgres_url + "\n")).stderr
    cli.env["database.url"] = postgres_url
    users = (await cli.json("user", "list"))["users"]
    assert [user["email"] for user in users] == [ADMIN]
    # The command accepts the secret key, which belongs to the copied data.
    assert (await cli.json("integration", "change", "general", "--name", "new"))["name"] == "new"
    assert "--to is the source database" in await cli.error_line("move", "--to", postgres_url, code=2)
    assert "--to must be" in await cli.error_line("move", "--to", "mysql://x/y", code=2)
    for secret in ("postgresql://a:Pencil@localhost/x", "postgresql://localhost/x?password=Pencil"):
        said = await cli.error_line("move", "--to", secret, code=2)
        assert "--to accepts only a URL without a password" in said
        assert "Pencil" not in said
    (tmp_path / "target").write_text(f"{postgres_url}\n")
    assert "--to is the source database" in await cli.error_line("move", "--to-file", "target", code=2)
    assert "--to is missing" in await cli.error_line("move", code=2)
    back = await cli("move", "--to", "sqlite:///back.db")
    assert "All data was copied to sqlite:///back.db" in back.ok().stdout


async def _fill(database: SqliteDatabase | PostgresDatabase) -> None:
    workspace_id = await seeds.insert_workspace(database)
    integration_id = await seeds.insert_integration(database, workspace_id, name=ODD)
    domain_id = await seeds.insert_domain(database, workspace_id)
    await seeds.insert_alias(database, workspace_id, domain_id, "support", integration_id)
    await seeds.execute(
        database,
        "UPDATE domains SET sending = 'active', encrypted_smarthost = 'sealed', smarthost_hint = 'smtps://s.test:465'",
    )
    await seeds.execute(
        database,
        "INSERT INTO domain_keys (domain_id, selector, algorithm, encrypted_private_key, public_key, created_at) "
        "VALUES (:domain_id, 'er203001', 'rsa', 'sealed', 'MIIB', 7)",
        domain_id=domain_id,
    )
    await seeds.execute(
        database,
        "INSERT INTO messages (id, workspace_id, reverse_path, helo, peer, protocol, tls, received_by, size, "
        "received_at, rfc_message_id, reference_ids, from_address, from_name, subject, automatic) "
        "VALUES ('msg_1', :workspace_id, '', '', '', 'ESMTP', '', '', 3, 7, '', '[]', 'a@b.test', '', :odd, '')",
        workspace_id=workspace_id,
        odd=ODD,
    )
    for n in range(20):  # more chunks than one batch of `move`
        await seeds.execute(
            database,
            "INSERT INTO raw_chunks (message_id, n, data) VALUES ('msg_1', :n, :data)",
            n=n,
            data=bytes(range(256)) * 4 + bytes([n]),
        )
    await seeds.execute(
        database,
        "INSERT INTO tickets (id, workspace_id, number, alias_id, address, subject, from_address, from_name, "
        "received_at, updated_at) VALUES ('ticket_1', :workspace_id, 1, NULL, 'a@b.test', :odd, '', '', 7, 7)",
        workspace_id=workspace_id,
        odd=ODD,
    )
    await seeds.execute(
        database,
        "INSERT INTO tags (id, workspace_id, name, name_key, color, created_at) "
        "VALUES ('tag_1', :workspace_id, :odd, 'key', '#1d76db', 7)",
        workspace_id=workspace_id,
        odd=ODD,
    )
    await seeds.execute(database, "INSERT INTO ticket_tags (tag_id, ticket_id) VALUES ('tag_1', 'ticket_1')")
    await seeds.execute(
        database,
        "INSERT INTO ticket_search (ticket_id, workspace_id, index_position, words) "
        "VALUES ('ticket_1', :workspace_id, 5, 'lantern')",
        workspace_id=workspace_id,
    )
    await seeds.execute(
        database,
        "INSERT INTO audit (id, workspace_id, at, address, action, target) "
        "VALUES ('evt_1', :workspace_id, 7, '', 'a.b', 'c')",
        workspace_id=workspace_id,
    )
    await seeds.execute(database, "UPDATE versions SET version = 42 WHERE name = 'routes'")


async def _content(database: SqliteDatabase | PostgresDatabase) -> dict[str, list[str]]:
    return {
        table: sorted(repr(sorted(row.items())) for row in await seeds.execute(database, f"SELECT * FROM {table}"))
        for table in TABLES
    }

"""Migrations can be repeated or run concurrently, are atomic, and reject a newer schema."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from router.errors import SchemaMismatch
from router.store import migrate
from router.store.migrate import Migration
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support.stores import Store, postgres_database, sqlite_database


async def test_a_second_run_finds_nothing_to_do(store: Store) -> None:
    assert await migrate.migrate(store.database) == []
    assert await migrate.read_schema_version(store.database) == migrate.LATEST_VERSION
    await migrate.check_schema(store.database)


async def _assert_applied_once(databases: Sequence[PostgresDatabase | SqliteDatabase]) -> None:
    for database in databases:
        await database.open()
    applied = await asyncio.gather(*(migrate.migrate(database) for database in databases))
    assert sorted(name for names in applied for name in names) == [m.name for m in migrate.load_migrations()]
    for database in databases:
        await database.close()


async def test_two_at_once_on_postgres_apply_each_migration_once(postgres_url: str) -> None:
    await _assert_applied_once([postgres_database(postgres_url) for _ in range(4)])


async def test_two_at_once_on_sqlite_apply_each_migration_once(tmp_path: Path) -> None:
    await _assert_applied_once([sqlite_database(tmp_path / "one.db") for _ in range(4)])


async def test_an_empty_database_must_be_migrated(tmp_path: Path) -> None:
    database = sqlite_database(tmp_path / "empty.db")
    await database.open()
    with pytest.raises(SchemaMismatch, match="run `emailrouter migrate`"):
        await migrate.check_schema(database)
    await database.close()


async def test_a_newer_schema_is_refused(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "LATEST_VERSION", migrate.LATEST_VERSION - 1)
    with pytest.raises(SchemaMismatch, match="newer than version"):
        await migrate.check_schema(store.database)
    with pytest.raises(SchemaMismatch, match="newer than version"):
        await migrate.migrate(store.database)


async def test_a_migration_that_fails_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Migration(
        migrate.LATEST_VERSION + 1, "broken.sql", "CREATE TABLE half (id TEXT);\nINSERT INTO nowhere VALUES (1);\n"
    )
    whole = migrate.load_migrations()
    monkeypatch.setattr(migrate, "LATEST_VERSION", migrate.LATEST_VERSION + 1)
    monkeypatch.setattr(migrate, "load_migrations", lambda: [*whole, broken])
    with pytest.raises(Exception, match="nowhere"):
        await migrate.migrate(store.database)
    assert await migrate.read_schema_version(store.database) == len(whole)
    monkeypatch.setattr(
        migrate,
        "load_migrations",
        lambda: [*whole, Migration(broken.version, "fixed.sql", "CREATE TABLE half (id TEXT);")],
    )
    assert await migrate.migrate(store.database) == ["fixed.sql"]


def test_dialect_blocks_apply_to_one_database_only() -> None:
    both = "CREATE TABLE a (id TEXT);\n"
    migration = Migration(1, "x.sql", f"{both}/*pg\nALTER TABLE a ADD b TEXT;\n*/\n/*sqlite\nDROP TABLE a;\n*/\n")
    assert list(migration.statements("sqlite")) == [both.strip(), "DROP TABLE a;"]
    assert list(migration.statements("postgres")) == [both.strip(), "ALTER TABLE a ADD b TEXT;"]


def test_a_trigger_is_one_statement() -> None:
    trigger = "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n    DELETE FROM b;\n    DELETE FROM c;\nEND;"
    migration = Migration(1, "x.sql", f"/*sqlite\n-- Why.\n{trigger}\n*/\n")
    assert list(migration.statements("sqlite")) == [trigger]
    assert list(migration.statements("postgres")) == []

"""Migrates a database to the schema of this program, and rejects a newer schema.

Each migration (`migrations/NNNN_*.sql`) is one transaction, so an interruption leaves the schema of the last complete
migration. A concurrent migration waits (on SQLite, up to the busy timeout). A migration must not break a running
program of the previous version.
"""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib import resources
from typing import Any, Protocol

import aiosqlite

from router.errors import ConfigurationFault, SchemaMismatch
from router.store import sqlite
from router.store.postgres import PostgresDatabase
from router.store.postgres_connection import PostgresConnection
from router.store.postgres_errors import translate_errors
from router.store.sqlite import SqliteDatabase

_DIALECT_BLOCK = re.compile(r"/\*(pg|sqlite)\b(.*?)\*/", re.DOTALL)
_DIALECTS = {"pg": "postgres", "sqlite": "sqlite"}
# The characters "emailrou" as a BIGINT.
_ADVISORY_LOCK = 0x656D_6169_6C72_6F75
# Creating an index over many messages takes long.
STATEMENT_SECONDS = 86400.0
_CREATE_VERSION_TABLE = (
    "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT PRIMARY KEY, applied_at BIGINT NOT NULL)"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One migration. A block `/*pg ... */` or `/*sqlite ... */` in `text` applies to one database only."""

    version: int
    name: str
    text: str

    def statements(self, dialect: str) -> Iterator[str]:
        """Yields the statements for one dialect (`sqlite` or `postgres`)."""
        text = _DIALECT_BLOCK.sub(lambda block: block[2] if _DIALECTS[block[1]] == dialect else "", self.text)
        statement = ""
        for line in text.splitlines(keepends=True):
            if line.lstrip().startswith("--"):
                continue
            statement += line
            if statement.strip() and sqlite3.complete_statement(statement):
                yield statement.strip()
                statement = ""
        if statement.strip():
            raise ValueError(f"{self.name}: the last statement does not end with a semicolon")


def load_migrations() -> list[Migration]:
    """Returns all migrations, oldest first. Raises ValueError unless they are numbered 1, 2, 3, ..."""
    folder = resources.files("router.store") / "migrations"
    current = sorted(file.name for file in folder.iterdir() if file.name.endswith(".sql"))
    migrations = [
        Migration(int(name.split("_")[0]), name, (folder / name).read_text(encoding="utf-8")) for name in current
    ]
    if [m.version for m in migrations] != list(range(1, len(migrations) + 1)):
        raise ValueError(f"migrations must be numbered 1, 2, 3, ...: {current}")
    return migrations


LATEST_VERSION = len(load_migrations())


class _MigrationConnection(Protocol):
    async def execute(self, statement: str) -> None: ...

    async def schema_version(self) -> int: ...


async def read_schema_version(database: SqliteDatabase | PostgresDatabase) -> int:
    """Returns 0 for an empty database. Raises `Unavailable`."""
    async with _migration_transaction(database, write=False) as connection:
        return await connection.schema_version()


async def check_schema(database: SqliteDatabase | PostgresDatabase) -> None:
    """Raises `SchemaMismatch` unless the database has the schema version of this program."""
    current = await read_schema_version(database)
    if current < LATEST_VERSION:
        raise SchemaMismatch(
            f"the database schema is version {current}, this program requires version {LATEST_VERSION}: "
            "run `emailrouter migrate`"
        )
    if current > LATEST_VERSION:
        raise _newer_schema_error(current)


def _newer_schema_error(current: int) -> SchemaMismatch:
    return SchemaMismatch(
        f"the database schema is version {current}, newer than version {LATEST_VERSION} of this program: "
        "install the release that created it, or a later one"
    )


async def migrate(database: SqliteDatabase | PostgresDatabase) -> list[str]:
    """Applies the missing migrations; returns their names.

    Raises `SchemaMismatch` for a newer schema, `Unavailable` if the database is unavailable.
    """
    dialect = "postgres" if isinstance(database, PostgresDatabase) else "sqlite"
    applied = []
    for migration in load_migrations():
        async with _migration_transaction(database, write=True) as connection:
            current = await connection.schema_version()
            if current > LATEST_VERSION:
                raise _newer_schema_error(current)
            if current >= migration.version:
                continue
            for statement in migration.statements(dialect):
                await connection.execute(statement)
            now = time.time_ns() // 1000
            await connection.execute(f"INSERT INTO schema_versions VALUES ({migration.version}, {now})")
        applied.append(migration.name)
    return applied


@asynccontextmanager
async def _migration_transaction(
    database: SqliteDatabase | PostgresDatabase, *, write: bool
) -> AsyncIterator[_MigrationConnection]:
    if isinstance(database, PostgresDatabase):
        connection = await database.connect(client_timeout=STATEMENT_SECONDS if write else None)
        try:
            with translate_errors():
                async with connection.transaction():
                    await _require_current_schema(connection)
                    if write:
                        await connection.execute(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
                        await connection.execute(_CREATE_VERSION_TABLE)
                    yield _PostgresMigration(connection)
        finally:
            await connection.close(timeout=5)
    else:
        async with database.raw_transaction(write=write) as raw:
            with sqlite.translate_errors():
                if write:
                    await raw.execute_fetchall(_CREATE_VERSION_TABLE)
                yield _SqliteMigration(raw)


async def _require_current_schema(connection: PostgresConnection) -> None:
    """Raises `ConfigurationFault` if the search_path contains no usable schema.

    Otherwise, the tables would seem to be missing.
    """
    row = await connection.fetchrow("SELECT current_schema() AS found, current_setting('search_path') AS path")
    if row["found"] is None:
        raise ConfigurationFault(
            f"the role has no usable schema in its search_path ({row['path']})",
            "create the schema and GRANT USAGE, CREATE ON SCHEMA to the role, or correct search_path",
        )


class _PostgresMigration:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def execute(self, statement: str) -> None:
        await self._connection.execute(statement)

    async def schema_version(self) -> int:
        if await self._connection.fetchval("SELECT to_regclass('schema_versions')") is None:
            return 0
        return await self._connection.fetchval("SELECT max(version) FROM schema_versions") or 0


class _SqliteMigration:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def execute(self, statement: str) -> None:
        await self._connection.execute_fetchall(statement)

    async def schema_version(self) -> int:
        known = "SELECT name FROM sqlite_master WHERE name = 'schema_versions'"
        if not list(await self._connection.execute_fetchall(known)):
            return 0
        rows = list(await self._connection.execute_fetchall("SELECT max(version) FROM schema_versions"))
        return rows[0][0] or 0

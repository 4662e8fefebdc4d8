"""Copies all data to another database and compares the row counts.

Reads from one snapshot and writes in one transaction, in batches that limit the memory use. The source is only read.
Mail that the source accepts during the move is not copied: stop the program first.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiosqlite
import asyncpg

from router.errors import Refused
from router.store import sqlite
from router.store.migrate import load_migrations
from router.store.postgres import PostgresDatabase
from router.store.postgres_errors import translate_errors
from router.store.sqlite import SqliteDatabase

# All tables except `schema_versions` and SQLite's full-text index, which triggers fill. A table is created after the
# tables that it references.
TABLES = tuple(
    table
    for migration in load_migrations()
    for table in re.findall(r"^CREATE TABLE (\w+)", migration.text, re.MULTILINE)
)
# The migrations insert rows into these tables. The move replaces the rows.
SEEDED_TABLES = frozenset({"versions"})
# The rows of a batch, which is kept in memory. 16 raw chunks are at most 4 MiB.
BATCH_ROWS, BATCH_ROWS_BY_TABLE = 500, {"raw_chunks": 16, "upload_chunks": 16, "message_contents": 50}

# The configured statement timeout may be too short for copying whole tables.
STATEMENT_SECONDS = 7 * 86400.0

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class TableCounts:
    """The number of rows of a table in the source and in the target database."""

    table: str
    source: int
    target: int


class _Endpoint(Protocol):
    """The source or the target of the move, with an open transaction."""

    async def tables(self) -> set[str]: ...

    async def columns(self, table: str) -> list[str]: ...

    async def count(self, table: str) -> int: ...

    def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Rows]: ...

    async def clear(self, table: str) -> None: ...

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None: ...


AnyDatabase = SqliteDatabase | PostgresDatabase
ReportProgress = Callable[[str, int, int], None]


async def move(source: AnyDatabase, target: AnyDatabase, report_progress: ReportProgress) -> list[TableCounts]:
    """Copies `TABLES`. Both databases must have the schema of this program.

    `report_progress` receives the table, the rows copied so far and the rows in total.

    Raises:
        Refused: `conflict`; the target stays unchanged.
    """
    async with _open_source(source) as reader, _open_target(target) as writer:
        await _check_tables(reader, writer)
        await _check_empty(writer)
        counts = []
        for table in TABLES:
            columns = await reader.columns(table)
            if table in SEEDED_TABLES:
                await writer.clear(table)
            done, total = 0, await reader.count(table)
            report_progress(table, 0, total)
            async for batch in reader.rows(table, columns):
                await writer.write(table, columns, batch)
                done += len(batch)
                report_progress(table, done, total)
            counts.append(TableCounts(table, total, await writer.count(table)))
        mismatches = [
            f"{table_counts.table} ({table_counts.source} and {table_counts.target})"
            for table_counts in counts
            if table_counts.source != table_counts.target
        ]
        if mismatches:
            raise Refused(
                "conflict", f"the row counts of source and target differ, nothing was moved: {', '.join(mismatches)}"
            )
        return counts


async def count_rows(database: AnyDatabase) -> dict[str, int]:
    """Returns the current number of rows of each table in `TABLES`."""
    async with _open_source(database) as side:
        return {table: await side.count(table) for table in TABLES}


async def _check_tables(reader: _Endpoint, writer: _Endpoint) -> None:
    for name, side in (("source", reader), ("target", writer)):
        missing = set(TABLES) - await side.tables()
        if missing:
            raise Refused("conflict", f"the {name} database lacks these tables: {', '.join(sorted(missing))}")


async def _check_empty(writer: _Endpoint) -> None:
    non_empty = [
        f"{table} ({n})" for table in TABLES if table not in SEEDED_TABLES and (n := await writer.count(table))
    ]
    if non_empty:
        raise Refused("conflict", f"the target database is not empty, nothing was moved: {', '.join(non_empty)}")


def _open_source(database: AnyDatabase) -> AbstractAsyncContextManager[_Endpoint]:
    return (
        _open_postgres(database, read=True)
        if isinstance(database, PostgresDatabase)
        else _open_sqlite(database, read=True)
    )


def _open_target(database: AnyDatabase) -> AbstractAsyncContextManager[_Endpoint]:
    return (
        _open_postgres(database, read=False)
        if isinstance(database, PostgresDatabase)
        else _open_sqlite(database, read=False)
    )


@asynccontextmanager
async def _open_sqlite(database: SqliteDatabase, *, read: bool) -> AsyncIterator[_Endpoint]:
    async with database.raw_transaction(write=not read) as connection:
        with sqlite.translate_errors():
            if read:
                # BEGIN does not take the snapshot; the first read does.
                await connection.execute_fetchall("SELECT count(*) FROM workspaces")
            yield _SqliteEndpoint(connection)


@asynccontextmanager
async def _open_postgres(database: PostgresDatabase, *, read: bool) -> AsyncIterator[_Endpoint]:
    connection = await database.connect(client_timeout=STATEMENT_SECONDS)
    try:
        with translate_errors():
            isolation = {"isolation": "repeatable_read", "readonly": True} if read else {}
            async with connection.transaction(**isolation):
                if not read:
                    # Concurrent writers and moves wait; a second move then finds a non-empty target.
                    await connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
                yield _PostgresEndpoint(connection)
    finally:
        await connection.close(timeout=5)


class _SqliteEndpoint:
    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def tables(self) -> set[str]:
        rows = await self._connection.execute_fetchall("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {row[0] for row in rows}

    async def columns(self, table: str) -> list[str]:
        return [row["name"] for row in await self._connection.execute_fetchall(f"PRAGMA table_info({table})")]

    async def count(self, table: str) -> int:
        rows = list(await self._connection.execute_fetchall(f"SELECT count(*) FROM {table}"))
        number: int = rows[0][0]
        return number

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Rows]:
        async with self._connection.execute(f"SELECT {', '.join(columns)} FROM {table}") as cursor:
            while rows := list(await cursor.fetchmany(BATCH_ROWS_BY_TABLE.get(table, BATCH_ROWS))):
                yield [tuple(row) for row in rows]

    async def clear(self, table: str) -> None:
        await self._connection.execute_fetchall(f"DELETE FROM {table}")

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        placeholders = ", ".join("?" * len(columns))
        try:
            await self._connection.executemany(
                f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({placeholders})", rows
            )
        except sqlite3.IntegrityError as error:
            raise Refused(
                "conflict", f"a row of {table} cannot be inserted into the target: {error}; nothing was moved"
            ) from error


class _PostgresEndpoint:
    def __init__(self, connection: Any) -> None:
        self._connection = connection

    async def tables(self) -> set[str]:
        rows = await self._connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        return {row[0] for row in rows}

    async def columns(self, table: str) -> list[str]:
        rows = await self._connection.fetch(
            "SELECT column_name FROM information_schema.columns "
            "WHERE table_schema = current_schema() AND table_name = $1 AND is_generated = 'NEVER' "
            "ORDER BY ordinal_position",
            table,
        )
        return [row[0] for row in rows]

    async def count(self, table: str) -> int:
        number: int = await self._connection.fetchval(f"SELECT count(*) FROM {table}", timeout=STATEMENT_SECONDS)
        return number

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Rows]:
        size = BATCH_ROWS_BY_TABLE.get(table, BATCH_ROWS)
        cursor = await self._connection.cursor(f"SELECT {', '.join(columns)} FROM {table}", timeout=STATEMENT_SECONDS)
        while rows := await cursor.fetch(size):
            yield [tuple(row) for row in rows]

    async def clear(self, table: str) -> None:
        await self._connection.execute(f"DELETE FROM {table}")

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        try:
            await self._connection.copy_records_to_table(
                table, records=rows, columns=list(columns), timeout=STATEMENT_SECONDS
            )
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise Refused(
                "conflict", f"a row of {table} cannot be inserted into the target: {error}; nothing was moved"
            ) from error

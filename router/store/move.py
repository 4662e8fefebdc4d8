"""To another database: every row of every table, from a consistent read into one transaction, counts compared.

Cut off anywhere, the target is as empty as before and the move is begun again; the source is only ever read. Rows go
in batches, so memory stays flat. Mail that the source accepts meanwhile is not moved: who moves stops the program
first, and comparing `counts` afterwards tells when that was forgotten.
"""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import aiosqlite
import asyncpg

from router.errors import Refused
from router.store import sqlite
from router.store.postgres import PostgresDatabase
from router.store.postgres_errors import translated
from router.store.sqlite import SqliteDatabase

# Every table but the schema's own marks, in an order in which each row finds what it refers to.
TABLES = (
    "workspaces",
    "users",
    "api_keys",
    "domains",
    "integrations",
    "aliases",
    "versions",
    "installation",
    "messages",
    "raw_chunks",
    "message_contents",
    "parse_attempts",
    "fingerprints",
    "tickets",
    "ticket_messages",
    "ticket_participants",
    "ticket_search",
    "ticket_events",
    "deliveries",
    "attempts",
    "rate_windows",
    "sessions",
    "idempotent_requests",
    "audit",
    "blocked_senders",
)
# What a new schema brings along: replaced, and no sign that somebody uses the target.
SEEDED = frozenset({"versions"})
# Rows that are held at once: 4 MiB of raw mail, otherwise some hundred texts.
BATCH, BATCH_OF = 500, {"raw_chunks": 16, "message_contents": 50}

# Counting and copying many rows takes as long as it takes, in seconds; the settings' bounds are for mail.
PATIENCE = 7 * 86400.0

Rows = Sequence[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Moved:
    """A table with its rows counted on both sides, each by its own database."""

    table: str
    source: int
    target: int


class _Side(Protocol):
    """A database inside one transaction."""

    async def tables(self) -> set[str]: ...

    async def columns(self, table: str) -> list[str]: ...

    async def count(self, table: str) -> int: ...

    def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Rows]: ...

    async def clear(self, table: str) -> None: ...

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None: ...


AnyDatabase = SqliteDatabase | PostgresDatabase
Tell = Callable[[str, int, int], None]


async def move(source: AnyDatabase, target: AnyDatabase, tell: Tell) -> list[Moved]:
    """Copies everything; both have this program's schema. tell(table, rows so far, rows in all): after each batch.

    `conflict`: the target holds something, or the counts differ in the end; then nothing is written.
    """
    async with _reading(source) as old, _writing(target) as new:
        await _check_tables(old, new)
        await _check_empty(new)
        moved = []
        for table in TABLES:
            columns = await old.columns(table)
            if table in SEEDED:
                await new.clear(table)
            done, total = 0, await old.count(table)
            tell(table, 0, total)
            async for batch in old.rows(table, columns):
                await new.write(table, columns, batch)
                done += len(batch)
                tell(table, done, total)
            moved.append(Moved(table, total, await new.count(table)))
        different = [f"{each.table} ({each.source} and {each.target})" for each in moved if each.source != each.target]
        if different:
            raise Refused(
                "conflict", f"the row counts of source and target differ, nothing was moved: {', '.join(different)}"
            )
        return moved


async def counts(database: AnyDatabase) -> dict[str, int]:
    """How many rows each table has now."""
    async with _reading(database) as side:
        return {table: await side.count(table) for table in TABLES}


async def _check_tables(old: _Side, new: _Side) -> None:
    for name, side in (("source", old), ("target", new)):
        missing = set(TABLES) - await side.tables()
        if missing:
            raise Refused("conflict", f"the {name} database lacks these tables: {', '.join(sorted(missing))}")


async def _check_empty(new: _Side) -> None:
    full = [f"{table} ({n})" for table in TABLES if table not in SEEDED and (n := await new.count(table))]
    if full:
        raise Refused("conflict", f"the target database is not empty, nothing was moved: {', '.join(full)}")


def _reading(database: AnyDatabase) -> AbstractAsyncContextManager[_Side]:
    """A read that sees one moment, whatever is written meanwhile."""
    return _postgres(database, read=True) if isinstance(database, PostgresDatabase) else _sqlite(database, read=True)


def _writing(database: AnyDatabase) -> AbstractAsyncContextManager[_Side]:
    return _postgres(database, read=False) if isinstance(database, PostgresDatabase) else _sqlite(database, read=False)


@asynccontextmanager
async def _sqlite(database: SqliteDatabase, *, read: bool) -> AsyncIterator[_Side]:
    async with database.raw_transaction(write=not read) as connection:
        with sqlite.translated():
            if read:
                # BEGIN alone sees nothing yet; the first read fixes the moment.
                await connection.execute_fetchall("SELECT count(*) FROM workspaces")
            yield _Sqlite(connection)


@asynccontextmanager
async def _postgres(database: PostgresDatabase, *, read: bool) -> AsyncIterator[_Side]:
    connection = await database.connect(patience=PATIENCE)
    try:
        with translated():
            isolation = {"isolation": "repeatable_read", "readonly": True} if read else {}
            async with connection.transaction(**isolation):
                if not read:
                    # Whoever else would write, or move, waits until this is over and then finds it full.
                    await connection.execute(f"LOCK TABLE {', '.join(TABLES)} IN EXCLUSIVE MODE")
                yield _Postgres(connection)
    finally:
        await connection.close(timeout=5)


class _Sqlite:
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
            while rows := list(await cursor.fetchmany(BATCH_OF.get(table, BATCH))):
                yield [tuple(row) for row in rows]

    async def clear(self, table: str) -> None:
        await self._connection.execute_fetchall(f"DELETE FROM {table}")

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        marks = ", ".join("?" * len(columns))
        try:
            await self._connection.executemany(f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})", rows)
        except sqlite3.IntegrityError as error:
            raise Refused(
                "conflict", f"a row of {table} cannot be inserted into the target: {error}; nothing was moved"
            ) from error


class _Postgres:
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
        number: int = await self._connection.fetchval(f"SELECT count(*) FROM {table}", timeout=PATIENCE)
        return number

    async def rows(self, table: str, columns: Sequence[str]) -> AsyncIterator[Rows]:
        size = BATCH_OF.get(table, BATCH)
        cursor = await self._connection.cursor(f"SELECT {', '.join(columns)} FROM {table}", timeout=PATIENCE)
        while rows := await cursor.fetch(size):
            yield [tuple(row) for row in rows]

    async def clear(self, table: str) -> None:
        await self._connection.execute(f"DELETE FROM {table}")

    async def write(self, table: str, columns: Sequence[str], rows: Rows) -> None:
        try:
            await self._connection.copy_records_to_table(table, records=rows, columns=list(columns), timeout=PATIENCE)
        except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
            raise Refused(
                "conflict", f"a row of {table} cannot be inserted into the target: {error}; nothing was moved"
            ) from error

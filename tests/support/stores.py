"""SQLite and PostgreSQL databases, for tests that run on both.

The schema is built once and copied for each test.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from router.store import catalog, migrate
from router.store.catalog import Catalog
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support.postgres import PostgresServer

KINDS = ("sqlite", "postgres")
BUSY_TIMEOUT = 10.0  # seconds
_sqlite_template = bytearray()  # the content of a file with the current schema and no rows


@dataclass(frozen=True, slots=True)
class Store:
    """A database, open or not, with its catalogue of queries."""

    kind: str
    url: str
    catalog: Catalog
    database: SqliteDatabase | PostgresDatabase


def sqlite_database(path: Path) -> SqliteDatabase:
    return SqliteDatabase(path, catalog.load_catalog(), readers=3, busy_timeout=BUSY_TIMEOUT)


def postgres_database(url: str) -> PostgresDatabase:
    return PostgresDatabase(url, catalog.load_catalog(), pool_size=5, connect_timeout=10, statement_timeout=30)


@asynccontextmanager
async def sqlite_store(folder: Path, *, fresh: bool = False) -> AsyncIterator[Store]:
    """Yields the database in `folder`, or a new one with the current schema.

    fresh: The product itself creates the file. By default a new file is a copy of one that it has created.
    """
    path = folder / "emailrouter.db"
    if not fresh and not path.exists():
        await _create_sqlite_file(path)
    database = sqlite_database(path)
    await database.open()
    try:
        if fresh:
            await migrate.migrate(database)
        yield Store("sqlite", f"sqlite:///{database.path}", catalog.load_catalog(), database)
    finally:
        await database.close()


async def _create_sqlite_file(path: Path) -> None:
    if _sqlite_template:
        await asyncio.to_thread(path.write_bytes, _sqlite_template)
        return
    database = sqlite_database(path)
    await database.open()
    await migrate.migrate(database)
    await database.close()
    _sqlite_template[:] = await asyncio.to_thread(_read_with_wal, path)


def _read_with_wal(path: Path) -> bytes:
    """Returns a closed file with the content of its WAL, which connections that close at the same time may leave."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    assert not busy
    return path.read_bytes()


@asynccontextmanager
async def postgres_store(server: PostgresServer) -> AsyncIterator[Store]:
    """Yields a new database with the current schema on `server`, and drops it at the end."""
    template = await server.build_template("schema", _migrate)
    url = await server.create_database(template)
    database = postgres_database(url)
    await database.open()
    try:
        yield Store("postgres", url, catalog.load_catalog(), database)
    finally:
        await database.close()
        await server.drop_database(url)


async def _migrate(url: str) -> None:
    database = postgres_database(url)
    await database.open()
    await migrate.migrate(database)
    await database.close()

"""SQLite and PostgreSQL databases, for tests that run on both.

The PostgreSQL schema is built once and copied for each test.
"""

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
async def sqlite_store(folder: Path) -> AsyncIterator[Store]:
    database = sqlite_database(folder / "emailrouter.db")
    await database.open()
    try:
        await migrate.migrate(database)
        yield Store("sqlite", f"sqlite:///{database.path}", catalog.load_catalog(), database)
    finally:
        await database.close()


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

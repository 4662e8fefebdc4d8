"""Implements `Database` for SQLite with aiosqlite: one writer connection and several readers.

Readers see the last committed state and do not wait for the writer. The writer connection and the group commit's thread
(`sqlite_writer`) exclude each other with a fair lock.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import aiosqlite

from router.errors import StorageFull, Unavailable
from router.store.catalog import Catalog
from router.store.cleanup import CleanupTasks
from router.store.database import QueryExecutor, Row, Statement
from router.store.fair_lock import FairLock
from router.store.sqlite_file import DatabaseFile, make_private

# RETURNING came with this version.
MIN_VERSION = (3, 35, 0)
# The limit of waiting for rollbacks in `close`. Closing a connection also rolls back its transaction.
_CLEANUP_SECONDS = 2.0
# Limited, because the file could be replaced during every try.
_OPEN_TRIES = 3
# The default of aiosqlite.
_ITERATION_ROWS = 64
# About twice the size at which SQLite runs a checkpoint. With a limit below that size, the WAL would be truncated and
# extended again in normal operation.
WAL_LIMIT = 16 * 1024 * 1024


def connection_settings(busy_timeout: float) -> tuple[str, ...]:
    """Returns the PRAGMA statements that configure a connection.

    - synchronous=FULL: the commit returns after the fsync of the WAL, so `250` means that the mail is on disk.
    - page_size: larger pages are faster for large messages and slower for small ones (bench/README.md).
    - secure_delete: deleted content is overwritten with zeros.
    """
    return (
        "PRAGMA page_size = 8192",
        f"PRAGMA busy_timeout = {int(busy_timeout * 1000)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        f"PRAGMA journal_size_limit = {WAL_LIMIT}",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
    )


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translates errors of the file, the disk or a lock. Programming errors pass unchanged."""
    try:
        yield
    except sqlite3.OperationalError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise StorageFull(f"{name}: {error}") from error
        if name.startswith(("SQLITE_ERROR", "SQLITE_MISUSE", "SQLITE_RANGE")):
            raise
        raise Unavailable(f"{name}: {error}") from error
    except sqlite3.DatabaseError as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith(("SQLITE_CORRUPT", "SQLITE_NOTADB")):
            raise Unavailable(f"{name}: {error}") from error
        raise


class SqliteExecutor:
    """Executes statements on one connection."""

    def __init__(self, connection: aiosqlite.Connection, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        with translate_errors():
            return await self._connection.execute_fetchall(self._catalog.select(query, values).sqlite, values)  # type: ignore[return-value]  # sqlite3.Row has `keys` and `row[name]`

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        rows = await self.fetch_all(query, **values)
        return rows[0] if rows else None

    async def execute(self, query: str, /, **values: object) -> int:
        with translate_errors():
            async with self._connection.execute(self._catalog.select(query, values).sqlite, values) as cursor:
                return cursor.rowcount

    async def execute_statement(self, statement: Statement, /) -> Sequence[Row]:
        query = self._catalog[statement.query]
        returned: list[Row] = []
        with translate_errors():
            if not query.returns_rows:
                await self._connection.executemany(query.sqlite, statement.rows)
                return returned
            for values in statement.rows:
                returned += await self._connection.execute_fetchall(query.sqlite, values)  # type: ignore[arg-type]  # as in `fetch_all`
        return returned


class SqliteDatabase:
    """The embedded database of one host. Migrations create the schema."""

    def __init__(self, path: Path, catalog: Catalog, *, readers: int, busy_timeout: float) -> None:
        self.path = path
        self.file = DatabaseFile(path)
        self.write_lock = FairLock()
        self._catalog = catalog
        self._readers = readers
        self._busy_timeout = busy_timeout
        self._writer: aiosqlite.Connection | None = None
        self._idle_readers: asyncio.Queue[aiosqlite.Connection] = asyncio.Queue()
        self._connections: list[aiosqlite.Connection] = []
        self._cleanups = CleanupTasks()

    async def open(self) -> None:
        """Opens the file, or creates it. Raises `Unavailable`."""
        if sqlite3.sqlite_version_info < MIN_VERSION:
            raise Unavailable(f"SQLite {sqlite3.sqlite_version} is too old: version 3.35 or later is required")
        for _ in range(_OPEN_TRIES):
            before = self.file.identity()
            try:
                await self._open_all()
            except BaseException:
                await self.close()
                raise
            self.file.record_identity()
            if before is None or before == self.file.identity():
                return
            await self.close()
        raise Unavailable(f"{self.path} was replaced while the program was opening it")

    async def _open_all(self) -> None:
        self._writer = await self._connect()
        for _ in range(self._readers):
            self._idle_readers.put_nowait(await self._connect())
        with translate_errors():  # the first read creates the -wal and -shm of a new file
            await self._writer.execute_fetchall("SELECT 1 FROM sqlite_master LIMIT 1")

    async def _connect(self) -> aiosqlite.Connection:
        with translate_errors():
            # aiosqlite does not open the file: after a failure, aiosqlite's thread would call an event loop that may be
            # closed.
            opened = await asyncio.to_thread(_open, self.path)
            connection = await aiosqlite.Connection(lambda: opened, _ITERATION_ROWS)
            self._connections.append(connection)
            connection.row_factory = sqlite3.Row
            for setting in connection_settings(self._busy_timeout):
                await connection.execute_fetchall(setting)
        return connection

    @asynccontextmanager
    async def _reader(self) -> AsyncIterator[SqliteExecutor]:
        connection = await self._idle_readers.get()
        try:
            yield SqliteExecutor(connection, self._catalog)
        except asyncio.CancelledError:
            with suppress(ValueError):  # the connection is already closed
                await connection.interrupt()  # otherwise, the next query would wait for this one
            raise
        finally:
            self._idle_readers.put_nowait(connection)

    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        if _is_write(self._catalog[query].sqlite):
            async with self.transaction() as transaction:
                return await transaction.fetch_all(query, **values)
        async with self._reader() as reader:
            return await reader.fetch_all(query, **values)

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        rows = await self.fetch_all(query, **values)
        return rows[0] if rows else None

    async def execute(self, query: str, /, **values: object) -> int:
        async with self.transaction() as transaction:
            return await transaction.execute(query, **values)

    async def execute_statement(self, statement: Statement, /) -> Sequence[Row]:
        async with self.transaction() as transaction:
            return await transaction.execute_statement(statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[QueryExecutor]:
        async with self.raw_transaction() as connection:
            yield SqliteExecutor(connection, self._catalog)

    @asynccontextmanager
    async def raw_transaction(self, *, write: bool = True) -> AsyncIterator[aiosqlite.Connection]:
        """Runs a transaction on the writer connection, and yields the connection."""
        connection = self._writer
        if connection is None:
            raise Unavailable("the database is closed")
        await self.write_lock.acquire()
        try:
            self.file.check()
            with translate_errors():
                await connection.execute_fetchall("BEGIN IMMEDIATE" if write else "BEGIN")
            yield connection
            with translate_errors():
                await connection.execute_fetchall("COMMIT")
            self.file.check()
        except BaseException:
            # The statement of a cancelled task continues in the thread of the connection. The lock is released only
            # after this statement has ended and the rollback is complete.
            await self._cleanups.run(connection, self._roll_back(connection))
            raise
        self.write_lock.release()

    async def _roll_back(self, connection: aiosqlite.Connection) -> None:
        try:
            await connection.execute_fetchall("SELECT 1")  # waits for the earlier statements
            if connection.in_transaction:
                await connection.execute_fetchall("ROLLBACK")
        finally:
            self.write_lock.release()

    async def close(self) -> None:
        connections, self._connections = self._connections, []
        self._writer = None
        self._idle_readers = asyncio.Queue()
        await self._cleanups.wait(_CLEANUP_SECONDS)
        # A connection that hangs must not delay closing the others.
        await asyncio.gather(*(connection.close() for connection in connections))


def _open(path: Path) -> sqlite3.Connection:
    """Opens a connection that aiosqlite can use in its own thread."""
    make_private(path)
    return sqlite3.connect(path, isolation_level=None, cached_statements=256, check_same_thread=False)


def _is_write(statement: str) -> bool:
    """Treats queries that start with WITH as reads; a test ensures that none of them writes."""
    return not statement.lstrip().upper().startswith(("SELECT", "WITH"))

"""Group commit on SQLite: one thread, one sqlite3 connection, one queue for the items of all kinds.

With aiosqlite, each statement costs a thread switch; here, only a whole group does. SQLite has a single writer, so
items of different kinds share a commit, too. See `group_commit` for the guarantees.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic

from router.errors import Unavailable
from router.store.catalog import Catalog
from router.store.database import Row, StatementGenerator
from router.store.group_commit import (
    GroupLimits,
    ItemT,
    ResultT,
    WriteGroup,
    resolve_futures,
    should_retry_individually,
)
from router.store.sqlite import SqliteDatabase, connection_settings, translate_errors


@dataclass(frozen=True, slots=True)
class _QueuedItem:
    """An item with the transaction of its kind; the future receives its result."""

    write: WriteGroup[Any, Any]
    item: Any
    future: asyncio.Future[Any]


class SqliteGroupWriter(Generic[ItemT, ResultT]):
    """Implements `GroupWriter` for one kind of items."""

    def __init__(self, writer: SqliteWriter, write: WriteGroup[ItemT, ResultT]) -> None:
        self._writer = writer
        self._write = write

    async def commit(self, item: ItemT) -> ResultT:
        return await self._writer.commit(self._write, item)


class SqliteWriter:
    """The commit queue of a process.

    Create it on the event loop that calls `commit`. Its thread starts with the first commit and ends with `close`.
    """

    def __init__(self, database: SqliteDatabase, catalog: Catalog, limits: GroupLimits, *, busy_timeout: float) -> None:
        self._database = database
        self._catalog = catalog
        self._limits = limits
        self._busy_timeout = busy_timeout
        self._queue: queue.SimpleQueue[_QueuedItem | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sqlite-writer", daemon=True)

    async def commit(self, write: WriteGroup[ItemT, ResultT], item: ItemT) -> ResultT:
        if self._closed:
            raise Unavailable("the database is closing")
        if not self._is_started:
            self._thread.start()
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self._queue.put(_QueuedItem(write, item, future))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        if not self._is_started:
            return
        # join() must not run in an executor thread: at exit, the interpreter waits for these threads without a limit.
        await self._finished.wait()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive() if self._is_started else not self._closed

    @property
    def _is_started(self) -> bool:
        return self._thread.ident is not None

    def _run(self) -> None:
        try:
            self._process_queue()
        finally:
            self._loop.call_soon_threadsafe(self._finished.set)

    def _process_queue(self) -> None:
        deferred = None
        while (first := deferred or self._queue.get()) is not None:
            deferred = None
            group = [first]
            weight = first.item.weight
            while not self._queue.empty():
                queued = self._queue.get()
                if queued is None:
                    self._queue.put(None)  # the outer loop reads it after this group
                    break
                if not self._limits.fits(len(group), weight, queued.item):
                    deferred = queued
                    break
                group.append(queued)
                weight += queued.item.weight
            outcomes = self._commit_group(group)
            self._loop.call_soon_threadsafe(resolve_futures, [queued.future for queued in group], outcomes)
        self._drop_connection()

    def _commit_group(self, group: Sequence[_QueuedItem]) -> list[Any]:
        """Returns the result of each item, or its exception."""
        try:
            return self._transaction(group)
        except Exception as error:  # noqa: BLE001 - the callers of `commit` receive it
            if isinstance(error, Unavailable):
                self._drop_connection()
            if len(group) == 1 or not should_retry_individually(error):
                return [error] * len(group)
        return [outcome for queued in group for outcome in self._commit_group([queued])]

    def _transaction(self, group: Sequence[_QueuedItem]) -> list[Any]:
        self._database.write_lock.acquire_in_thread()
        try:
            with translate_errors():
                connection = self._ensure_connection()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    results = self._run_statements(connection, _write_items(group))
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                self._database.file.check()
                return results
        finally:
            self._database.write_lock.release()

    def _run_statements(self, connection: sqlite3.Connection, statements: StatementGenerator[ResultT]) -> ResultT:
        try:
            statement = next(statements)
            while True:
                query = self._catalog[statement.query]
                rows: list[Row] = []
                if query.returns_rows:
                    for values in statement.rows:
                        rows += connection.execute(query.sqlite, values).fetchall()
                else:
                    connection.executemany(query.sqlite, statement.rows)
                statement = statements.send(rows)
        except StopIteration as end:
            result: ResultT = end.value
            return result

    def _ensure_connection(self) -> sqlite3.Connection:
        """Connects if necessary, but only to the file that `SqliteDatabase` has opened."""
        if self._connection is None:
            self._database.file.check()
            uri = f"{self._database.path.absolute().as_uri()}?mode=rw"
            connection = sqlite3.connect(uri, uri=True, isolation_level=None, cached_statements=64)
            connection.row_factory = sqlite3.Row
            self._connection = connection
            for setting in connection_settings(self._busy_timeout):
                connection.execute(setting)
            self._database.file.check()
        return self._connection

    def _drop_connection(self) -> None:
        """Closes the connection, which may not recover from an I/O error. The next group opens a new one."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.close()


def _write_items(group: Sequence[_QueuedItem]) -> StatementGenerator[list[Any]]:
    """Runs the transaction of each kind on the items of this kind; returns the results in the order of the items."""
    kinds: dict[WriteGroup[Any, Any], list[int]] = {}
    for position, queued in enumerate(group):
        kinds.setdefault(queued.write, []).append(position)
    results: list[Any] = [None] * len(group)
    for write, positions in kinds.items():
        written = yield from write([group[position].item for position in positions])
        for position, result in zip(positions, written, strict=True):
            results[position] = result
    return results

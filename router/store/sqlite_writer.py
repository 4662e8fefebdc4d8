"""Group commit on SQLite: one thread, one sqlite3 connection, one queue.

With aiosqlite, each statement costs a thread switch; here, only a whole group does. See `group_commit` for the
guarantees.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Sequence
from typing import Generic

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


class SqliteWriter(Generic[ItemT, ResultT]):
    """The group commit of a process.

    Create it on the event loop that calls `commit`. Its thread starts at once and ends with `close`.
    """

    def __init__(
        self,
        database: SqliteDatabase,
        catalog: Catalog,
        write: WriteGroup[ItemT, ResultT],
        limits: GroupLimits,
        *,
        busy_timeout: float,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._write = write
        self._limits = limits
        self._busy_timeout = busy_timeout
        self._queue: queue.SimpleQueue[tuple[ItemT, asyncio.Future[ResultT]] | None] = queue.SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._finished = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="accept-writer", daemon=True)
        self._thread.start()

    async def commit(self, item: ItemT) -> ResultT:
        if self._closed:
            raise Unavailable("the database is closing")
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self._queue.put((item, future))
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        # join() must not run in an executor thread: at exit, the interpreter waits for these threads without a limit.
        await self._finished.wait()
        self._thread.join()

    @property
    def is_alive(self) -> bool:
        return self._thread.is_alive()

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
            weight = first[0].weight
            while not self._queue.empty():
                queued = self._queue.get()
                if queued is None:
                    self._queue.put(None)  # the outer loop reads it after this group
                    break
                if not self._limits.fits(len(group), weight, queued[0]):
                    deferred = queued
                    break
                group.append(queued)
                weight += queued[0].weight
            outcomes = self._commit_group([item for item, _ in group])
            self._loop.call_soon_threadsafe(resolve_futures, [future for _, future in group], outcomes)
        self._drop_connection()

    def _commit_group(self, items: Sequence[ItemT]) -> list[ResultT | BaseException]:
        try:
            return list(self._transaction(items))
        except Exception as error:  # noqa: BLE001 - the callers of `commit` receive it
            if isinstance(error, Unavailable):
                self._drop_connection()
            if len(items) == 1 or not should_retry_individually(error):
                return [error] * len(items)
        return [outcome for item in items for outcome in self._commit_group([item])]

    def _transaction(self, items: Sequence[ItemT]) -> Sequence[ResultT]:
        self._database.write_lock.acquire_in_thread()
        try:
            with translate_errors():
                connection = self._ensure_connection()
                connection.execute("BEGIN IMMEDIATE")
                try:
                    results = self._run_statements(connection, self._write(items))
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
                self._database.file.check()
                return results
        finally:
            self._database.write_lock.release()

    def _run_statements(
        self, connection: sqlite3.Connection, statements: StatementGenerator[Sequence[ResultT]]
    ) -> Sequence[ResultT]:
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
            results: Sequence[ResultT] = end.value
            return results

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

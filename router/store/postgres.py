"""Implements `Database` for PostgreSQL with asyncpg: a pool of connections that are opened when needed.

The pool recovers when the server is available again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any
from weakref import WeakSet

import asyncpg

from router.errors import Unavailable
from router.store import postgres_connection
from router.store.catalog import Catalog
from router.store.cleanup import CleanupTasks
from router.store.database import QueryExecutor, Row, Statement, retry_on_conflict
from router.store.postgres_connection import MAX_IDLE_SECONDS, PostgresConnection
from router.store.postgres_errors import CONNECTION_ERRORS, StatementTimeout, translate_errors

StatementGuard = Callable[[PostgresConnection], AbstractContextManager[None]]
# The limit for a ROLLBACK and for the release of a connection, and the limit for closing the pool.
_RELEASE_SECONDS = 2.0
_CLOSE_SECONDS = 3.0


async def _ignore_connection_errors(
    operation: Callable[..., Awaitable[object]], *args: object, **options: object
) -> None:
    """Runs a rollback or a release and ignores errors of the server and of the connection.

    Such an error must not hide an earlier error, nor a successful commit.
    """
    try:
        await operation(*args, **options)
    except (asyncpg.PostgresError, *CONNECTION_ERRORS):
        return


@contextmanager
def _terminate_on_cancel(connection: PostgresConnection) -> Iterator[None]:
    """Terminates the connection if the task is cancelled during BEGIN or COMMIT.

    The state of the transaction is then unknown.
    """
    try:
        yield
    except asyncio.CancelledError:
        connection.terminate()
        raise


class PostgresExecutor:
    """Executes statements on one connection."""

    def __init__(self, connection: PostgresConnection, catalog: Catalog, guard: StatementGuard) -> None:
        self.connection = connection
        self._catalog = catalog
        self._guard = guard

    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        named_query = self._catalog.select(query, values)
        with self._guard(self.connection):
            rows: Sequence[Row] = await self.connection.fetch(named_query.postgres, *named_query.bind_one(values))
        return rows

    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        rows = await self.fetch_all(query, **values)
        return rows[0] if rows else None

    async def execute(self, query: str, /, **values: object) -> int:
        named_query = self._catalog.select(query, values)
        with self._guard(self.connection):
            status: str = await self.connection.execute(named_query.postgres, *named_query.bind_one(values))
        # The command tag ends with the number of rows: `INSERT 0 1`, `UPDATE 3`, `DELETE 2`.
        return int(status.rpartition(" ")[2])

    async def execute_statement(self, statement: Statement, /) -> Sequence[Row]:
        if not statement.rows:
            return []
        query = self._catalog[statement.query]
        executions = query.bind_many(statement.rows)
        with self._guard(self.connection):
            if query.returns_rows or len(executions) == 1:
                return [row for values in executions for row in await self.connection.fetch(query.postgres, *values)]
            await self.connection.executemany(query.postgres, executions)
            return []


class PostgresDatabase:
    """A PostgreSQL database, which several hosts can share."""

    def __init__(
        self, url: str, catalog: Catalog, *, pool_size: int, connect_timeout: float, statement_timeout: float
    ) -> None:
        self.url = url
        self._catalog = catalog
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self.statement_timeout = statement_timeout
        self._pool: Any = None
        self._cleanups = CleanupTasks()
        self._pooled: WeakSet[PostgresConnection] = WeakSet()
        self._suspect_before = float("-inf")

    async def open(self) -> None:
        """Creates the pool. Opens no connection yet, so it succeeds while the server is unavailable."""
        with translate_errors():
            self._pool = await asyncpg.create_pool(
                min_size=0,
                max_size=self._pool_size,
                max_inactive_connection_lifetime=MAX_IDLE_SECONDS,
                connection_class=PostgresConnection,
                connect=self._connect_pooled,
                setup=_mark_busy,
                reset=_keep_settings,
            )

    async def connect(self, *, client_timeout: float | None = None, for_groups: bool = False) -> PostgresConnection:
        """Opens a connection, which the caller must close.

        `client_timeout` (seconds) replaces the configured statement timeout; only the client enforces it.
        `for_groups` is for a connection that only commits groups.
        """
        return await postgres_connection.connect(
            self.url,
            timeout=self._connect_timeout,
            statement_timeout=self.statement_timeout if client_timeout is None else client_timeout,
            without_server_timeout=client_timeout is not None,
            for_groups=for_groups,
        )

    async def ensure_usable(self, connection: PostgresConnection | None) -> PostgresConnection:
        """Returns `connection` if it is usable. Otherwise terminates it and returns a new connection for groups."""
        if connection is not None:
            if await self.is_usable(connection):
                return connection
            connection.terminate()
        return await self.connect(for_groups=True)

    async def is_usable(self, connection: PostgresConnection) -> bool:
        """Whether a connection that has been idle may be used.

        If the server does not respond, closes the idle connections of the pool; the caller closes `connection`.
        """
        now = asyncio.get_running_loop().time()
        if connection.is_expired(now) or connection.used_at < self._suspect_before:
            return False
        if await connection.check_alive(now, self._connect_timeout):
            return True
        self._discard_idle(now)
        return False

    @contextmanager
    def guard_statements(self, connection: PostgresConnection) -> Iterator[None]:
        """Translates errors of statements on the connection.

        After a timeout, closes the connection, and the pool's idle connections that were last used before the block.
        """
        loop = asyncio.get_running_loop()
        started = loop.time()
        try:
            with translate_errors():
                yield
        except StatementTimeout:
            connection.terminate()
            self._discard_idle(started)
            raise
        connection.used_at = loop.time()

    @asynccontextmanager
    async def connection_transaction(self, connection: PostgresConnection) -> AsyncIterator[None]:
        """Commits at the end of the block, or rolls back when the block raises."""
        with self.guard_statements(connection), _terminate_on_cancel(connection):
            transaction = connection.transaction()
            await transaction.start()
        try:
            yield
        except BaseException:
            await self._cleanups.run(
                connection, _ignore_connection_errors(transaction.rollback), seconds=_RELEASE_SECONDS
            )
            raise
        with self.guard_statements(connection), _terminate_on_cancel(connection):
            await transaction.commit()

    async def _connect_pooled(self, *_: object, **__: object) -> PostgresConnection:
        connection = await self.connect()
        self._pooled.add(connection)
        return connection

    def _discard_idle(self, since: float) -> None:
        """Closes the idle connections of the pool that were last used before `since`: they may be dead."""
        self._suspect_before = max(self._suspect_before, since)
        for connection in tuple(self._pooled):
            if not connection.is_busy and connection.used_at < since:
                connection.terminate()

    async def _acquire(self, pool: Any) -> tuple[Any, PostgresConnection]:
        """Returns a pool proxy and the usable connection behind it. The release needs the proxy."""
        for _ in range(self._pool_size + 1):
            with translate_errors():
                proxy = await pool.acquire(timeout=self._connect_timeout)
            connection: PostgresConnection = proxy.unwrap()
            try:
                if await self.is_usable(connection):
                    return proxy, connection
            except BaseException:
                connection.terminate()
                raise
            connection.terminate()
        raise Unavailable("PostgreSQL: every new connection was closed immediately")

    @asynccontextmanager
    async def _pooled_executor(self) -> AsyncIterator[tuple[PostgresConnection, PostgresExecutor]]:
        pool = self._pool
        if pool is None:
            raise Unavailable("the database is closed")
        proxy, connection = await self._acquire(pool)
        try:
            yield connection, PostgresExecutor(connection, self._catalog, self.guard_statements)
        finally:
            connection.is_busy = False
            release = _ignore_connection_errors(pool.release, proxy, timeout=_RELEASE_SECONDS)
            await self._cleanups.run(connection, release)

    @retry_on_conflict
    async def fetch_all(self, query: str, /, **values: object) -> Sequence[Row]:
        async with self._pooled_executor() as (_, executor):
            return await executor.fetch_all(query, **values)

    @retry_on_conflict
    async def fetch_one(self, query: str, /, **values: object) -> Row | None:
        async with self._pooled_executor() as (_, executor):
            return await executor.fetch_one(query, **values)

    @retry_on_conflict
    async def execute(self, query: str, /, **values: object) -> int:
        async with self._pooled_executor() as (_, executor):
            return await executor.execute(query, **values)

    @retry_on_conflict
    async def execute_statement(self, statement: Statement, /) -> Sequence[Row]:
        async with self.transaction() as transaction:
            return await transaction.execute_statement(statement)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[QueryExecutor]:
        async with self._pooled_executor() as (connection, executor), self.connection_transaction(connection):
            yield executor

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()
            await self._cleanups.wait(_RELEASE_SECONDS)


async def _mark_busy(proxy: Any) -> None:
    """Prevents `_discard_idle` from closing the connection."""
    proxy.unwrap().is_busy = True


async def _keep_settings(_: object) -> None:
    """Does nothing: the default reset of asyncpg's pool would discard the session settings."""

"""PostgreSQL behind `Database`, by asyncpg: a pool of connections, made when first needed.

A lost connection, a server that refuses, restarts or takes too long is `Unavailable`; the pool mends itself when
the server is back, without a restart of ours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from router.errors import Contended, StorageFull, Unavailable
from router.store.catalog import Catalog
from router.store.cleanup import Cleanups
from router.store.database import Row, Session

# What asyncpg raises for a connection that is gone or does not answer, beside what the server itself says.
_ABOUT_THE_CONNECTION = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
# What is about the server's state and not about our statement (SQLSTATE classes): 08 connection, 25006 read-only,
# 53 resources, 55P03 lock not available, 57 operator intervention, 58 system error.
_ABOUT_THE_SERVER = ("08", "25006", "53", "55P03", "57", "58")
_IN_THE_WAY = "40"  # serialisation failure, deadlock
_DISK_FULL = "53100"
# Seconds that a ROLLBACK, and then the reset of a connection that is given back, may take: each is one round trip. A
# connection that needs longer is closed; a new one costs less than what waits for a server that does not answer.
_RELEASE_SECONDS = 2.0
# Seconds that statements under way at a stop may take before their connections are cut.
_CLOSE_SECONDS = 3.0


@contextmanager
def translated() -> Iterator[None]:
    """Turns what says that the server is away, busy or full into `Unavailable`; the rest is our fault."""
    try:
        yield
    except asyncpg.PostgresError as error:
        state = error.sqlstate or ""
        if state == _DISK_FULL:
            raise StorageFull(f"PostgreSQL {state}: {error}") from error
        if state.startswith(_IN_THE_WAY):
            raise Contended(f"PostgreSQL {state}: {error}") from error
        if state.startswith(_ABOUT_THE_SERVER):
            raise Unavailable(f"PostgreSQL {state}: {error}") from error
        # Names and passwords are settings: until they are right, waiting is all a sender can do.
        if state.startswith(("28", "3D")):
            raise Unavailable(f"PostgreSQL {state}: {error}") from error
        raise
    except _ABOUT_THE_CONNECTION as error:
        raise Unavailable(f"PostgreSQL: {type(error).__name__}: {error}") from error


async def _quietly(ending: Callable[..., Awaitable[object]], *args: object, **options: object) -> None:
    """Calls a rollback or a release, whose failure is no news: a connection that is gone has rolled back by itself,
    and the pool drops it. It must not hide the error that came before, nor the commit that was made.
    """
    try:
        await ending(*args, **options)
    except (asyncpg.PostgresError, *_ABOUT_THE_CONNECTION):
        return


@contextmanager
def _dropped_if_cut(connection: Any) -> Iterator[None]:
    """Closes a connection whose BEGIN or COMMIT was cancelled: whether there is a transaction on it is unknown."""
    try:
        yield
    except asyncio.CancelledError:
        connection.terminate()
        raise


class PostgresSession:
    """Statements on one connection."""

    def __init__(self, connection: Any, catalog: Catalog) -> None:
        self._connection = connection
        self._catalog = catalog

    async def all(self, query: str, /, **values: object) -> Sequence[Row]:
        found = self._catalog[query]
        with translated():
            rows: Sequence[Row] = await self._connection.fetch(
                found.postgres, *(values[name] for name in found.parameters)
            )
        return rows

    async def one(self, query: str, /, **values: object) -> Row | None:
        rows = await self.all(query, **values)
        return rows[0] if rows else None

    async def run(self, query: str, /, **values: object) -> int:
        found = self._catalog[query]
        with translated():
            status: str = await self._connection.execute(found.postgres, *(values[name] for name in found.parameters))
        # The command tag: `INSERT 0 1`, `UPDATE 3`, `DELETE 2`.
        return int(status.rpartition(" ")[2])

    async def run_each(self, query: str, rows: Sequence[Mapping[str, object]], /) -> None:
        found = self._catalog[query]
        with translated():
            await self._connection.executemany(
                found.postgres, [tuple(row[name] for name in found.parameters) for row in rows]
            )


class PostgresDatabase:
    """A PostgreSQL database shared by any number of hosts."""

    def __init__(
        self, url: str, catalog: Catalog, *, pool_size: int, connect_timeout: float, statement_timeout: float
    ) -> None:
        self.url = url
        self._catalog = catalog
        self._pool_size = pool_size
        self._connect_timeout = connect_timeout
        self._statement_timeout = statement_timeout
        self._pool: Any = None
        self._cleanups = Cleanups()

    async def open(self) -> None:
        """Makes the pool. No connection is made before one is needed, so this works while the server is away."""
        with translated():
            self._pool = await asyncpg.create_pool(
                self.url,
                min_size=0,
                max_size=self._pool_size,
                timeout=self._connect_timeout,
                command_timeout=self._statement_timeout,
                server_settings={"application_name": "emailrouter"},
            )

    async def connect(self) -> Any:
        """A connection of its own, outside the pool: for the group commit and for LISTEN."""
        with translated():
            return await asyncpg.connect(
                self.url,
                timeout=self._connect_timeout,
                command_timeout=self._statement_timeout,
                server_settings={"application_name": "emailrouter"},
            )

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[tuple[Any, PostgresSession]]:
        pool = self._pool
        if pool is None:
            raise Unavailable("the database is closed")
        with translated():
            connection = await pool.acquire(timeout=self._connect_timeout)
        try:
            yield connection, PostgresSession(connection, self._catalog)
        finally:
            release = _quietly(pool.release, connection, timeout=_RELEASE_SECONDS)
            await self._cleanups.run(connection, release)

    async def all(self, query: str, /, **values: object) -> Sequence[Row]:
        async with self._session() as (_, session):
            return await session.all(query, **values)

    async def one(self, query: str, /, **values: object) -> Row | None:
        async with self._session() as (_, session):
            return await session.one(query, **values)

    async def run(self, query: str, /, **values: object) -> int:
        async with self._session() as (_, session):
            return await session.run(query, **values)

    async def run_each(self, query: str, rows: Sequence[Mapping[str, object]], /) -> None:
        async with self.transaction() as session:
            await session.run_each(query, rows)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self._session() as (connection, session):
            with translated(), _dropped_if_cut(connection):
                transaction = connection.transaction()
                await transaction.start()
            try:
                yield session
            except BaseException:
                await self._cleanups.run(connection, _quietly(transaction.rollback), seconds=_RELEASE_SECONDS)
                raise
            with translated(), _dropped_if_cut(connection):
                await transaction.commit()

    async def close(self) -> None:
        if self._pool is not None:
            pool, self._pool = self._pool, None
            try:
                await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
            except (TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                pool.terminate()
            await self._cleanups.wait(_RELEASE_SECONDS)

"""Group commit on PostgreSQL, on connections outside the pool.

With two connections, the next group is written on one while the other waits for its commit. Of idle connections the
last used is preferred, so that a process with few messages opens and probes only one. Each kind of items has its own
writer, so locks of one kind of transaction do not delay the others. A group waits for a lock for a limited time; its
items are then retried individually, and those that are not retried within `statement_timeout` raise `Unavailable`.
See `group_commit` for the guarantees.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Generic

from router.errors import SerializationConflict, Unavailable
from router.store.catalog import Catalog
from router.store.database import MAX_CONFLICT_TRIES, run_statements
from router.store.group_commit import (
    GroupLimits,
    ItemT,
    ResultT,
    WriteGroup,
    resolve_futures,
    should_retry_individually,
)
from router.store.postgres import PostgresDatabase, PostgresExecutor
from router.store.postgres_connection import PostgresConnection


class PostgresWriter(Generic[ItemT, ResultT]):
    """The group writer and the commit queue for one kind of items.

    Create it on the event loop that calls `commit`. Its tasks start at once and end with `close`.
    """

    def __init__(
        self,
        database: PostgresDatabase,
        catalog: Catalog,
        write: WriteGroup[ItemT, ResultT],
        limits: GroupLimits,
        *,
        connections: int,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._write = write
        self._limits = limits
        self._queue: deque[tuple[ItemT, asyncio.Future[ResultT]]] = deque()
        self._idle: list[asyncio.Future[None]] = []  # of workers; the last one is woken first
        self._closed = False
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._run_worker()) for _ in range(connections)]

    async def commit(self, item: ItemT) -> ResultT:
        if self._closed:
            raise Unavailable("the database is closing")
        future: asyncio.Future[ResultT] = self._loop.create_future()
        self._queue.append((item, future))
        if self._idle:
            self._idle.pop().set_result(None)
        return await future

    async def close(self) -> None:
        if not self._closed:
            self._closed = True
            while self._idle:
                self._idle.pop().set_result(None)
        await asyncio.gather(*self._tasks)

    @property
    def is_alive(self) -> bool:
        return not any(task.done() for task in self._tasks)

    async def _run_worker(self) -> None:
        connection: PostgresConnection | None = None
        while True:
            if not self._queue:
                if self._closed:
                    break
                self._idle.append(self._loop.create_future())
                await self._idle[-1]
                continue
            group = self._take_group()
            outcomes, connection = await self._commit_group([item for item, _ in group], connection)
            resolve_futures([future for _, future in group], outcomes)
        if connection is not None:
            await _close_connection(connection)

    def _take_group(self) -> list[tuple[ItemT, asyncio.Future[ResultT]]]:
        group: list[tuple[ItemT, asyncio.Future[ResultT]]] = []
        weight = 0
        while self._queue and self._limits.fits(len(group), weight, self._queue[0][0]):
            group.append(self._queue.popleft())
            weight += group[-1][0].weight
        return group

    async def _commit_group(
        self, items: Sequence[ItemT], connection: PostgresConnection | None
    ) -> tuple[list[ResultT | BaseException], PostgresConnection | None]:
        """Returns the outcome of each item, and the connection for the next group (None: open a new one)."""
        try:
            connection = await self._database.ensure_usable(connection)
            return list(await self._transaction(connection, items)), connection
        except Exception as error:  # noqa: BLE001 - the callers of `commit` receive it
            if isinstance(error, Unavailable) and not should_retry_individually(error) and connection is not None:
                await _close_connection(connection)
                connection = None
            if len(items) == 1 or not should_retry_individually(error):
                return [error] * len(items), connection
        outcomes: list[ResultT | BaseException] = []
        retry_until = self._loop.time() + self._database.statement_timeout
        for item in items:
            if self._loop.time() > retry_until:
                outcomes.append(Unavailable("PostgreSQL: no time was left for this transaction"))
                continue
            alone, connection = await self._commit_group([item], connection)
            outcomes += alone
        return outcomes, connection

    async def _transaction(
        self, connection: PostgresConnection, items: Sequence[ItemT]
    ) -> Sequence[ResultT | Unavailable]:
        """Retries the transaction of a single item after a conflict; `_commit_group` splits a larger group instead."""
        for _ in range(MAX_CONFLICT_TRIES - 1 if len(items) == 1 else 0):
            try:
                return await self._commit_once(connection, items)
            except SerializationConflict:
                continue
        return await self._commit_once(connection, items)

    async def _commit_once(
        self, connection: PostgresConnection, items: Sequence[ItemT]
    ) -> Sequence[ResultT | Unavailable]:
        async with self._database.connection_transaction(connection):
            executor = PostgresExecutor(connection, self._catalog, self._database.guard_statements)
            return await run_statements(executor, self._write(items))


async def _close_connection(connection: PostgresConnection) -> None:
    """Closes the connection without waiting long for an unresponsive server."""
    try:
        await connection.close(timeout=1)
    except Exception:  # noqa: BLE001 - terminate() needs no response
        connection.terminate()

"""The group writers of one process, on either database."""

from __future__ import annotations

import asyncio

from router.store.catalog import Catalog
from router.store.group_commit import CommitQueue, GroupLimits, GroupWriter, ItemT, ResultT, WriteGroup
from router.store.postgres import PostgresDatabase
from router.store.postgres_writer import PostgresWriter
from router.store.sqlite import SqliteDatabase
from router.store.sqlite_writer import SqliteGroupWriter, SqliteWriter


class GroupWriters:
    """Opens group writers on the current event loop, and closes them together. Create only one per process."""

    def __init__(
        self,
        database: SqliteDatabase | PostgresDatabase,
        catalog: Catalog,
        limits: GroupLimits,
        *,
        busy_timeout: float,
    ) -> None:
        self._database = database
        self._catalog = catalog
        self._limits = limits
        self._busy_timeout = busy_timeout
        self._sqlite_writer: SqliteWriter | None = None
        self._queues: list[CommitQueue] = []

    def open(self, write: WriteGroup[ItemT, ResultT], *, connections: int = 1) -> GroupWriter[ItemT, ResultT]:
        """Opens a writer for one kind of items. `connections` is the number of its connections to PostgreSQL."""
        if isinstance(self._database, PostgresDatabase):
            writer = PostgresWriter(self._database, self._catalog, write, self._limits, connections=connections)
            self._queues.append(writer)
            return writer
        if self._sqlite_writer is None:
            self._sqlite_writer = SqliteWriter(
                self._database, self._catalog, self._limits, busy_timeout=self._busy_timeout
            )
            self._queues.append(self._sqlite_writer)
        return SqliteGroupWriter(self._sqlite_writer, write)

    async def close(self) -> None:
        """Commits the queued items of all writers, then stops. Later commits raise `Unavailable`."""
        await asyncio.gather(*(each.close() for each in self._queues))

    @property
    def is_alive(self) -> bool:
        """False after `close`, or if an internal error ended a worker."""
        return all(each.is_alive for each in self._queues)

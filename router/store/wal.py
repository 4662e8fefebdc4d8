"""Keeps SQLite's `-wal` file short: after a long reader (a backup) it has its highest size, and nothing shrinks it.

`journal_size_limit` cuts it when the next writer begins at its start again; this does so where no mail comes. A mail
never waits for it: the copying (PASSIVE) blocks no writer, and the cut (TRUNCATE) is tried only when everything is
copied and nobody writes or reads, without waiting.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import structlog

from router.errors import StorageReplaced, Unavailable
from router.store.disk_space import file_size, wal_path
from router.store.sqlite import WAL_LIMIT, SqliteDatabase, translate_errors

# How often the size is checked, in seconds: the space is missed by nobody before.
CHECK_INTERVAL_SECONDS = 30.0

log = structlog.get_logger()


async def truncate_wal_periodically(database: SqliteDatabase) -> None:
    """Until it is cancelled. It also notices that the file was replaced where nothing is written."""
    while True:
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)
        try:
            await asyncio.to_thread(truncate_wal, database)
        except StorageReplaced:
            continue  # the check has logged it
        except Unavailable as error:
            log.warning("database.wal_truncate_failed", reason=str(error))


def truncate_wal(database: SqliteDatabase) -> bool:
    """Cuts a WAL that is longer than `WAL_LIMIT`; False where it is not, or somebody is in the way."""
    database.file.check()
    size = file_size(wal_path(database.path))
    if size <= WAL_LIMIT:
        return False
    uri = f"{database.path.absolute().as_uri()}?mode=rw"
    with translate_errors(), closing(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=0)) as connection:
        busy, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
        if busy or copied < pages or not database.write_lock.try_acquire():
            return False
        try:
            busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            database.write_lock.release()
    if not busy:
        log.info("database.wal_truncated", bytes=size)
    return not busy

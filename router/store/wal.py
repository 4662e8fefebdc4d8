"""Truncates the `-wal` file of SQLite, which can stay large after a long-running reader such as a backup.

`journal_size_limit` truncates the file only when a writer restarts the log. Most pages are copied without the write
lock, so that accepting mail waits only briefly.
"""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing

import structlog

from router.errors import DatabaseFileReplaced, Unavailable
from router.store.disk_space import file_size, wal_path
from router.store.sqlite import WAL_LIMIT, SqliteDatabase, translate_errors

CHECK_INTERVAL_SECONDS = 30.0

log = structlog.get_logger()


async def truncate_wal_periodically(database: SqliteDatabase) -> None:
    """Runs until cancelled. Also detects a replaced file while nothing is written."""
    while True:
        await asyncio.sleep(CHECK_INTERVAL_SECONDS)
        try:
            await asyncio.to_thread(truncate_wal, database)
        except DatabaseFileReplaced:
            continue  # `DatabaseFile.check` has logged the error
        except Unavailable as error:
            log.warning("database.wal_truncate_failed", reason=str(error))


def truncate_wal(database: SqliteDatabase) -> bool:
    """Returns False if the file is not longer than `WAL_LIMIT`, or if a reader or writer uses it."""
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

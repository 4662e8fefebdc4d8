"""Checks the directories with data: free disk space, free inodes and write permission."""

from __future__ import annotations

import os
from pathlib import Path

from emailrouter.check.check_context import CheckContext
from router.check_result import CheckResult, fail, ok, warn
from router.store.disk_space import file_size, wal_path

_MIN_FREE_FRACTION = 0.05
_MIN_INODES = 1000
_MB = 1_000_000


async def disk(context: CheckContext) -> list[CheckResult]:
    folders = [context.config.server.data_dir]
    path = context.config.database.url.path
    if path is not None:
        folders.append(wal_path(path).parent)  # SQLite writes to the resolved path
    return [
        result
        for folder in dict.fromkeys(path.resolve() for path in folders)
        for result in _check_directory(context, folder)
    ]


def _check_directory(context: CheckContext, folder: Path) -> list[CheckResult]:
    if not folder.is_dir():
        fix = f"install -d -o emailrouter -g emailrouter -m 750 {folder}, or correct [server] data_dir"
        return [fail("disk", f"{folder} does not exist", fix)]
    results = []
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = f"chown emailrouter: {folder} (run this check as that user: runuser -u emailrouter -- emailrouter check)"
        results.append(fail("disk", f"{folder} is not writable by this user", fix))
    found = context.statvfs(folder)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    text = f"{folder}: {free // _MB} MB of {total // _MB} MB are free"
    fix = "Set [retention] raw_messages to delete old raw messages, or move the data to a larger disk"
    path = context.config.database.url.path
    reserve = context.config.smtp.min_free_bytes
    wal = 0 if path is None or wal_path(path).parent != folder else file_size(wal_path(path))
    if reserve and free < reserve + wal:
        also = f" plus the {wal // _MB} MB of the database's WAL" if wal >= _MB else ""
        results.append(
            fail("disk", f"{text}, less than [smtp] min_free_bytes{also}: mail is temporarily rejected with 452", fix)
        )
    elif free < total * _MIN_FREE_FRACTION or free < 3 * reserve + wal:
        results.append(warn("disk", f"{text}: mail will soon be temporarily rejected", fix))
    else:
        results.append(ok("disk", text))
    if found.f_files and (found.f_favail < _MIN_INODES or found.f_favail < found.f_files * _MIN_FREE_FRACTION / 5):
        text = f"{folder}: {found.f_favail} of {found.f_files} inodes are free"
        fix = "Delete files that are not needed, such as a cache of many small files (df -i shows the inodes in use)"
        results.append((fail if found.f_favail < _MIN_INODES else warn)("disk", text, fix))
    return results

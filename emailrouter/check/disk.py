"""The disk under the data: room, inodes, and whether the program may write there."""

from __future__ import annotations

import os
from pathlib import Path

from emailrouter.check.facts import Facts
from emailrouter.check.line import Line, fail, ok, warn
from router.store.disk_space import file_size, wal_path

_LOW_SHARE = 0.05
_LEAST_INODES = 1000
_MB = 1_000_000


async def disk(facts: Facts) -> list[Line]:
    """The folder of the SQLite file and `data_dir`."""
    folders = [facts.config.server.data_dir]
    if facts.config.database.url.path is not None:
        folders.append(facts.config.database.url.path.parent)
    return [line for folder in dict.fromkeys(path.resolve() for path in folders) for line in _folder(facts, folder)]


def _folder(facts: Facts, folder: Path) -> list[Line]:
    if not folder.is_dir():
        fix = f"install -d -o emailrouter -g emailrouter -m 750 {folder}, or correct [server] data_dir"
        return [fail("disk", f"{folder} does not exist", fix)]
    lines = []
    if not os.access(folder, os.W_OK | os.X_OK):
        fix = f"chown emailrouter: {folder} (run this check as that user: runuser -u emailrouter -- emailrouter check)"
        lines.append(fail("disk", f"{folder} is not writable by this user", fix))
    found = facts.statvfs(folder)
    free, total = found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize
    said = f"{folder}: {free // _MB} MB of {total // _MB} MB are free"
    fix = "Free disk space: [retention] raw_messages deletes old raw messages; or move the data to a larger disk"
    path = facts.config.database.url.path
    reserve = facts.config.smtp.min_free_bytes
    wal = 0 if path is None or path.parent.resolve() != folder else file_size(wal_path(path))
    if reserve and free < reserve + wal:
        also = f" plus the {wal // _MB} MB of the database's WAL" if wal >= _MB else ""
        lines.append(
            fail("disk", f"{said}, less than [smtp] min_free_bytes{also}: mail is temporarily rejected with 452", fix)
        )
    elif free < total * _LOW_SHARE or free < 3 * reserve + wal:
        lines.append(warn("disk", f"{said}: mail will soon be temporarily rejected", fix))
    else:
        lines.append(ok("disk", said))
    if found.f_files and (found.f_favail < _LEAST_INODES or found.f_favail < found.f_files * _LOW_SHARE / 5):
        said = f"{folder}: {found.f_favail} of {found.f_files} inodes are free"
        fix = "Delete what uses the inodes (df -i shows the file system); often a cache with many small files"
        lines.append((fail if found.f_favail < _LEAST_INODES else warn)("disk", said, fix))
    return lines

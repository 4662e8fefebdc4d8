"""Whether the disk has room for mail: near its end nothing more is accepted, so that what is here can be worked off.

A database that meets a full disk in mid-write recovers, but a full disk also stops logs, backups and people.
Asked before each accept; the file system is looked at no more than once a second.

The free space must cover the configured reserve and the size of the `-wal` file: a checkpoint may still have to copy
all of it to the database, which may grow by as much.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from router.clock import Clock
from router.errors import StorageFull

CHECK_INTERVAL_SECONDS = 1.0


class FreeSpaceCheck:
    """path: the embedded database's file. least: octets that must stay free, 0 never looks.

    PostgreSQL's disk is on another host and its administrator's: there is no room to ask about.
    """

    def __init__(self, path: Path, min_free_bytes: int, clock: Clock) -> None:
        self._folder = path.absolute().parent
        self._wal = wal_path(path)
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._checked_at = float("-inf")
        self._needed = min_free_bytes
        self._free = min_free_bytes  # until the first look has its answer, those beside it are let through

    async def check(self) -> None:
        """Raises `StorageFull` while less than `least` is free for us."""
        if not self._min_free_bytes:
            return
        now = self._clock.monotonic()
        if now - self._checked_at >= CHECK_INTERVAL_SECONDS:
            self._checked_at = now
            try:
                stats = await asyncio.to_thread(os.statvfs, self._folder)
            except OSError:
                return  # the folder was moved away: the commit is refused by the check of the file, with the reason
            self._free = stats.f_bavail * stats.f_frsize
            self._needed = self._min_free_bytes + await asyncio.to_thread(file_size, self._wal)
        if self._free < self._needed:
            raise StorageFull(
                f"the database disk has {self._free / 1e6:.1f} MB free, but {self._needed / 1e6:.1f} MB are required: "
                f"{self._min_free_bytes / 1e6:.1f} MB ([smtp] min_free_bytes) and the size of the WAL"
            )


def wal_path(path: Path) -> Path:
    """The write-ahead log of a database file, wherever a link leads to."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def file_size(path: Path) -> int:
    """Bytes; 0 for a file that is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0

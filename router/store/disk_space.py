"""Checks the free disk space before a message is accepted.

The reserve is for the delivery of stored messages, which also writes to the database. Space for a second copy of the
`-wal` file must also be free: a checkpoint may copy the whole file to the database file.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from router.clock import Clock
from router.errors import StorageFull

CHECK_INTERVAL_SECONDS = 1.0


class FreeSpaceCheck:
    """Checks the disk of the database file, also behind a symbolic link. A `min_free_bytes` of 0 disables the check."""

    def __init__(self, path: Path, min_free_bytes: int, clock: Clock) -> None:
        self._wal = wal_path(path)
        self._folder = self._wal.parent
        self._min_free_bytes = min_free_bytes
        self._clock = clock
        self._checked_at = float("-inf")
        self._needed = min_free_bytes
        self._free = min_free_bytes  # concurrent calls pass until the first result arrives

    async def check(self) -> None:
        """Raises `StorageFull` if less than the required space is free."""
        if not self._min_free_bytes:
            return
        now = self._clock.monotonic()
        if now - self._checked_at >= CHECK_INTERVAL_SECONDS:
            self._checked_at = now
            try:
                stats = await asyncio.to_thread(os.statvfs, self._folder)
            except OSError:
                return  # `DatabaseFile.check` reports the reason
            self._free = stats.f_bavail * stats.f_frsize
            self._needed = self._min_free_bytes + await asyncio.to_thread(file_size, self._wal)
        if self._free < self._needed:
            raise StorageFull(
                f"the database disk has {self._free / 1e6:.1f} MB free, but {self._needed / 1e6:.1f} MB are required: "
                f"{self._min_free_bytes / 1e6:.1f} MB ([smtp] min_free_bytes) and the size of the WAL"
            )


def wal_path(path: Path) -> Path:
    """Returns the path of the `-wal` file. SQLite derives it from the resolved path of the database."""
    real = path.resolve()
    return real.with_name(f"{real.name}-wal")


def file_size(path: Path) -> int:
    """Returns 0 if the size cannot be read."""
    try:
        return path.stat().st_size
    except OSError:
        return 0

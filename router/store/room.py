"""Whether the disk has room for mail: near its end nothing more is accepted, so that what is here can be worked off.

A database that meets a full disk in mid-write recovers, but a full disk also stops logs, backups and people.
Asked before each accept; the file system is looked at no more than once a second.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from router.clock import Clock
from router.errors import StorageFull

LOOK_INTERVAL = 1.0


class DiskRoom:
    """path: the embedded database's file. least: octets that must stay free, 0 never looks.

    PostgreSQL's disk is on another host and its administrator's: there is no room to ask about.
    """

    def __init__(self, path: Path, least: int, clock: Clock) -> None:
        self._folder = path.absolute().parent
        self._least = least
        self._clock = clock
        self._looked_at = float("-inf")
        self._free = least  # until the first look has its answer, those beside it are let through

    async def check(self) -> None:
        """Raises `StorageFull` while less than `least` is free for us."""
        if not self._least:
            return
        now = self._clock.monotonic()
        if now - self._looked_at >= LOOK_INTERVAL:
            self._looked_at = now
            found = await asyncio.to_thread(os.statvfs, self._folder)
            self._free = found.f_bavail * found.f_frsize
        if self._free < self._least:
            raise StorageFull(f"{self._free} octets are free on the disk of the database, {self._least} must be")

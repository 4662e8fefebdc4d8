"""Makes the SQLite file private to its owner, and detects that the open file was removed or replaced.

In WAL mode, SQLite continues to write to a file that was removed or replaced: commits succeed, and are lost after a
restart.
Files are compared by `stat` only: closing a descriptor of the database would drop the POSIX locks of this process.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import structlog

from router.errors import DatabaseFileReplaced

COMPANION_SUFFIXES = ("-wal", "-shm")

log = structlog.get_logger()

# SQLite gives `-wal` and `-shm` the mode of the database file.
FILE_MODE = 0o600

_FileIdentity = tuple[int, int] | None  # device and inode; None if the file is missing


def make_private(path: Path) -> None:
    """Creates the database file with mode 0600, or sets this mode on existing files that others can access.

    A mode that the process may not change stays; `emailrouter check` warns of it.
    """
    real = path.resolve()  # SQLite derives the names of -wal and -shm from the resolved path
    with suppress(OSError):
        descriptor = os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # the umask may have removed permissions of the owner
        os.close(descriptor)
    for file in (real, *(real.with_name(real.name + ending) for ending in COMPANION_SUFFIXES)):
        with suppress(FileNotFoundError, PermissionError):
            if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                file.chmod(FILE_MODE)


class DatabaseFile:
    """A database file with its `-wal` and `-shm`. `check` is thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._path = str(path)
        self._companions: tuple[str, ...] = ()
        self._opened_identities: tuple[_FileIdentity, ...] = ()
        self._mutex = threading.Lock()
        self._problem = ""

    def identity(self) -> _FileIdentity:
        return _file_identity(self._path)

    def record_identity(self) -> None:
        """Records the current files as the opened ones."""
        real = str(self.path.resolve())
        self._companions = tuple(real + ending for ending in COMPANION_SUFFIXES)
        self._opened_identities = self._current_identities()

    def check(self) -> None:
        """Raises `DatabaseFileReplaced` unless the paths refer to the opened files.

        Logs when a problem starts and when it ends.
        """
        current = self._current_identities()
        problem = "" if current == self._opened_identities else self._describe(current)
        if problem != self._problem:
            self._log_change(problem)
        if problem:
            raise DatabaseFileReplaced(problem)

    def _current_identities(self) -> tuple[_FileIdentity, ...]:
        return (_file_identity(self._path), *[_file_identity(path) for path in self._companions])

    def _describe(self, current: tuple[_FileIdentity, ...]) -> str:
        if current[0] is None:
            return (
                f"{self.path} was removed or moved while the program had it open: move the file back; "
                "if it is lost, stop the program, restore a backup and start the program"
            )
        if current[0] != self._opened_identities[0]:
            return (
                f"{self.path} was replaced while the program had it open: restart the program to use the new file; "
                "stop the program before you restore a backup"
            )
        changed = [
            path
            for path, now, then in zip(self._companions, current[1:], self._opened_identities[1:], strict=True)
            if now != then
        ]
        verb = "was" if len(changed) == 1 else "were"
        names = " and ".join(changed)
        return f"{names} {verb} removed or replaced while the program had the database open: restart the program"

    def _log_change(self, problem: str) -> None:
        with self._mutex:
            started, ended = problem and not self._problem, self._problem and not problem
            self._problem = problem
        if started:
            log.error("database.file_replaced", reason=problem)
        elif ended:
            log.info("database.file_restored", path=str(self.path))


def _file_identity(path: str) -> _FileIdentity:
    """Returns None for a missing or inaccessible file, and for a deleted file that is still open (no links)."""
    try:
        current = os.stat(path)  # noqa: PTH116 - called for each commit; Path(path).stat is slower
    except OSError:
        return None
    return (current.st_dev, current.st_ino) if current.st_nlink else None

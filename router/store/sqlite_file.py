"""The SQLite file: private to its owner, and whether the one that is open is still the one at its path.

SQLite goes on writing to a file that was removed, renamed or replaced: each commit succeeds, and is gone after a
restart. So a commit counts only if the path leads to the same file after it as at the opening, and so do the paths of
`-wal` and `-shm`, which exist as long as the database is open anywhere. Files are compared by `stat` alone: closing a
descriptor of the database in this process would drop the POSIX locks that SQLite holds.
"""

from __future__ import annotations

import os
import stat
import threading
from contextlib import suppress
from pathlib import Path

import structlog

from router.errors import StorageReplaced

# Beside the database while it is open, by SQLite's own rules for names.
COMPANION_SUFFIXES = ("-wal", "-shm")

log = structlog.get_logger()

# Mails and sealed secrets are in it. SQLite gives `-wal` and `-shm` the mode of the database file.
FILE_MODE = 0o600

_FileIdentity = tuple[int, int] | None  # device and inode; None where there is no such file


def make_private(path: Path) -> None:
    """Creates the file with mode 0600 whatever the umask; takes the rights of others from files that are there.

    A file of another owner keeps its mode: `emailrouter check` warns of it. Where the file cannot be created, SQLite
    says so when it opens it.
    """
    real = path.resolve()  # as SQLite does before it names what is beside
    with suppress(OSError):
        descriptor = os.open(real, os.O_RDWR | os.O_CREAT | os.O_EXCL, FILE_MODE)
        os.fchmod(descriptor, FILE_MODE)  # a umask can take rights from the owner, too
        os.close(descriptor)
    for file in (real, *(real.with_name(real.name + ending) for ending in COMPANION_SUFFIXES)):
        with suppress(FileNotFoundError, PermissionError):
            if stat.S_IMODE(file.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                file.chmod(FILE_MODE)


class DatabaseFile:
    """One database file with what is beside it. `check` may be called from any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._path = str(path)
        self._companions: tuple[str, ...] = ()
        self._opened_identities: tuple[_FileIdentity, ...] = ()
        self._mutex = threading.Lock()
        self._problem = ""

    def identity(self) -> _FileIdentity:
        """What is at the path now."""
        return _file_identity(self._path)

    def record_identity(self) -> None:
        """What is at the paths now is what was opened. SQLite follows links before it names what is beside."""
        real = str(self.path.resolve())
        self._companions = tuple(real + ending for ending in COMPANION_SUFFIXES)
        self._opened_identities = self._current_identities()

    def check(self) -> None:
        """Raises `StorageReplaced` unless the paths lead to the files that were opened.

        Logs one line when that ends and one when it holds again.
        """
        current = self._current_identities()
        problem = "" if current == self._opened_identities else self._describe(current)
        if problem != self._problem:
            self._log_change(problem)
        if problem:
            raise StorageReplaced(problem)

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
    """Device and inode; None for a file that is not there, or only for those who have it open or mounted."""
    try:
        current = os.stat(path)  # noqa: PTH116 - three for each commit; through a Path each costs three times as much
    except OSError:
        return None
    return (current.st_dev, current.st_ino) if current.st_nlink else None

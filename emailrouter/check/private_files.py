"""Checks files with secrets: `first-login`, and the SQLite database with its `-wal` and `-shm` files."""

from __future__ import annotations

import stat
from pathlib import Path

from emailrouter.check.check_context import CheckContext
from router.admin.access.setup_link import FIRST_LOGIN_FILE
from router.check_result import CheckResult, ok, warn
from router.store.sqlite_file import COMPANION_SUFFIXES

NAME = "files"


async def private_files(context: CheckContext) -> list[CheckResult]:
    results = []
    first_login = context.config.server.data_dir / FIRST_LOGIN_FILE
    if first_login.exists():
        fix = f"Open its link, which deletes the file and revokes its API key; or save its content and rm {first_login}"
        results.append(warn(NAME, f"{first_login} still exists: it contains a password and an API key", fix))
    database = context.config.database.url.path
    if database is not None:
        results += [
            warn(NAME, f"{path} is readable by other users", f"chmod 600 {path}")
            for path in _database_files(database.resolve())
            if _is_shared(path)
        ]
    return results or [ok(NAME, "files with secrets are readable only by their owner")]


def _database_files(database: Path) -> list[Path]:
    return [database, *(database.with_name(database.name + ending) for ending in COMPANION_SUFFIXES)]


def _is_shared(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except OSError:  # a missing `-wal` is normal
        return False
    return bool(stat.S_IMODE(mode) & (stat.S_IRWXG | stat.S_IRWXO))

"""The SQLite file and its backups are private to their owner. The file contains no deleted data."""

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from router.store.sqlite_file import make_private
from tests.support import seeds
from tests.support.documents import read_blocks
from tests.support.stores import sqlite_store

WORD = "Xylophonkonzert"


@pytest.fixture(params=[0o000, 0o022, 0o277], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[None]:
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.usefixtures("umask")
async def test_database_and_wal_are_private_whatever_the_umask(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path, fresh=True):
        names = ("emailrouter.db", "emailrouter.db-wal", "emailrouter.db-shm")
        assert [mode(tmp_path / name) for name in names] == [0o600] * 3


async def test_files_that_were_readable_by_others_become_private(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    link = tmp_path / "emailrouter.db"
    link.symlink_to(tmp_path / "kept" / "real.db")
    files = [tmp_path / "kept" / name for name in ("real.db", "real.db-wal", "real.db-shm")]
    async with sqlite_store(tmp_path, fresh=True):
        assert [mode(path) for path in files] == [0o600] * 3
        for path in files:
            path.chmod(0o664)
        make_private(link)
        assert [mode(path) for path in files] == [0o600] * 3


async def test_deleted_data_is_overwritten(tmp_path: Path) -> None:
    async with sqlite_store(tmp_path, fresh=True) as store:
        workspace_id = await seeds.insert_workspace(store.database, WORD)
        await seeds.execute(store.database, "DELETE FROM workspaces WHERE id = :id", id=workspace_id)
    with closing(sqlite3.connect(tmp_path / "emailrouter.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    assert WORD.encode() not in (tmp_path / "emailrouter.db").read_bytes()


def test_a_backup_as_documented_is_private(tmp_path: Path) -> None:
    """Runs the command of docs/backup-and-restore.md with a stand-in for `sqlite3`."""
    (text,) = (block.text for block in read_blocks("backup-and-restore.md") if "VACUUM INTO" in block.text)
    with closing(sqlite3.connect(tmp_path / "emailrouter.db")) as connection:
        connection.execute("CREATE TABLE mails (content TEXT)")
    (tmp_path / "secret_key").touch()
    shell = tmp_path / "sqlite3"
    shell.write_text(f"#!{sys.executable}\nimport sqlite3, sys\nsqlite3.connect(sys.argv[-2]).execute(sys.argv[-1])\n")
    shell.chmod(0o700)
    text = text.replace("/var/lib/emailrouter", str(tmp_path)).replace("/var/backups", str(tmp_path))
    path = f"{tmp_path}:{os.environ['PATH']}"
    subprocess.run(["bash", "-ec", f"umask 022\n{text}"], check=True, env={**os.environ, "PATH": path})
    (copy,) = tmp_path.glob("emailrouter-*.db")
    assert mode(copy) == 0o600

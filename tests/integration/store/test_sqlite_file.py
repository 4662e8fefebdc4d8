"""If an open database file is removed, moved or replaced, writes that a restart would lose are not acknowledged."""

import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from router.errors import DatabaseFileReplaced, Unavailable
from router.store import migrate
from router.store.sqlite import SqliteDatabase
from tests.support.installation import Installation
from tests.support.mails import mail
from tests.support.stores import sqlite_database, sqlite_store


@pytest.fixture
async def installation(tmp_path: Path) -> AsyncIterator[Installation]:
    (tmp_path / "data").mkdir()
    async with sqlite_store(tmp_path / "data") as store:
        found = Installation(store)
        await found.seed()
        with closing(sqlite3.connect(path_of(found))) as connection:
            connection.execute(f"VACUUM INTO '{tmp_path}/backup.db'")
        yield found
        await found.core.close()


def path_of(installation: Installation) -> Path:
    return Path(installation.store.url.removeprefix("sqlite:///"))


def companion(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def remove(path: Path, _: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        companion(path, ending).unlink()


def move(path: Path, _: Path) -> None:
    path.rename(path.with_name("away.db"))


def restore(path: Path, backup: Path) -> None:
    backup.replace(path)


def restore_as_documented(path: Path, backup: Path) -> None:
    remove(path, backup)
    shutil.copy(backup, path)


def replace_directory(path: Path, backup: Path) -> None:
    path.parent.rename(path.parent.with_name("old"))
    path.parent.mkdir()
    shutil.copy(backup, path)


def move_directory(path: Path, _: Path) -> None:
    path.parent.rename(path.parent.with_name("old"))


def remove_wal(path: Path, _: Path) -> None:
    companion(path, "-wal").unlink()


def replace_wal(path: Path, _: Path) -> None:
    other = path.with_name("other")
    shutil.copy(companion(path, "-wal"), other)
    other.replace(companion(path, "-wal"))


def remove_shm(path: Path, _: Path) -> None:
    companion(path, "-shm").unlink()


FileChange = Callable[[Path, Path], None]
CHANGES = (
    remove,
    move,
    restore,
    restore_as_documented,
    replace_directory,
    move_directory,
    remove_wal,
    replace_wal,
    remove_shm,
)


@pytest.mark.parametrize("change_file", CHANGES)
async def test_nothing_is_accepted_or_changed_after_the_file_was_replaced(
    installation: Installation, tmp_path: Path, change_file: FileChange
) -> None:
    await installation.accept.accept(installation.envelope(), mail())
    change_file(path_of(installation), tmp_path / "backup.db")
    at_path = path_of(installation).exists()
    with structlog.testing.capture_logs() as logged:
        for n in range(3):
            with pytest.raises(DatabaseFileReplaced):
                await installation.accept.accept(installation.envelope(), mail(f"<{n}@customer.test>"))
            with pytest.raises(DatabaseFileReplaced):
                await installation.database.execute("routing_increment_version")
            with pytest.raises(DatabaseFileReplaced):
                await migrate.check_schema(installation.database)
    (line,) = logged
    assert (line["event"], line["log_level"]) == ("database.file_replaced", "error")
    assert "the program" in line["reason"]
    assert path_of(installation).exists() == at_path, "no new file is created at its path"


async def test_a_commit_fails_when_the_file_is_moved_before_it(installation: Installation) -> None:
    """SQLite reports success if the file is moved between BEGIN and COMMIT."""
    path = path_of(installation)

    async def change() -> None:
        async with installation.database.transaction() as transaction:
            await transaction.execute("routing_increment_version")
            path.rename(path.with_name("away.db"))

    with pytest.raises(DatabaseFileReplaced):
        await change()


async def test_a_file_that_is_moved_back_is_used_again(installation: Installation) -> None:
    path, away = path_of(installation), path_of(installation).with_name("away.db")
    await installation.accept.accept(installation.envelope(), mail())
    path.rename(away)
    with structlog.testing.capture_logs() as logged:
        with pytest.raises(DatabaseFileReplaced):
            await installation.accept.accept(installation.envelope(), mail("<two@customer.test>"))
        away.rename(path)
        await installation.accept.accept(installation.envelope(), mail("<two@customer.test>"))
        await installation.database.execute("routing_increment_version")
        await migrate.check_schema(installation.database)
    assert [line["event"] for line in logged] == ["database.file_replaced", "database.file_restored"]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM messages").fetchone() == (2,)


async def test_a_changed_symbolic_link_is_detected(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    async with sqlite_store(tmp_path / "data") as store:
        real = Path(store.url.removeprefix("sqlite:///"))
    shutil.copy(real, tmp_path / "other.db")
    link = tmp_path / "link.db"
    link.symlink_to(real)
    database = sqlite_database(link)
    await database.open()
    try:
        await database.execute("routing_increment_version")
        link.unlink()
        link.symlink_to(tmp_path / "other.db")
        with pytest.raises(DatabaseFileReplaced):
            await database.execute("routing_increment_version")
    finally:
        await database.close()


async def test_a_file_that_is_replaced_while_it_is_opened_is_opened_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with sqlite_store(tmp_path) as store:
        path = Path(store.url.removeprefix("sqlite:///"))
    connect = SqliteDatabase._connect
    copies = 0

    async def slow(database: SqliteDatabase) -> object:
        nonlocal copies
        connection = await connect(database)
        if copies < limit:
            copies += 1
            shutil.copy(path, path.with_name("copy"))
            path.with_name("copy").replace(path)
        return connection

    monkeypatch.setattr(SqliteDatabase, "_connect", slow)
    limit = 1
    database = sqlite_database(path)
    await database.open()
    await database.execute("routing_increment_version")
    await database.close()
    copies, limit = 0, 1000
    with pytest.raises(Unavailable, match="replaced"):
        await database.open()


async def test_a_file_without_links_counts_as_removed(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bind mount can still show a removed file."""
    path = path_of(installation)
    await installation.accept.accept(installation.envelope(), mail())
    found = list(path.stat())
    found[3] = 0  # st_nlink
    real = os.stat

    def stat(at: str | Path, **options: Any) -> os.stat_result:
        return os.stat_result(found) if str(at) == str(path) else real(at, **options)

    monkeypatch.setattr(os, "stat", stat)
    with pytest.raises(DatabaseFileReplaced):
        await installation.accept.accept(installation.envelope(), mail("<two@customer.test>"))

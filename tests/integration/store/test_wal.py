"""The WAL is truncated once a long-running reader of another program has ended; nothing waits for the reader."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from router.errors import StorageFull
from router.store import wal
from router.store.disk_space import FreeSpaceCheck, file_size, wal_path
from router.store.sqlite import WAL_LIMIT, SqliteDatabase
from tests.support.clock import FakeClock
from tests.support.installation import Installation
from tests.support.mails import mail
from tests.support.stores import Store, sqlite_store

LARGE = WAL_LIMIT + 2_000_000


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    async with sqlite_store(tmp_path) as found:
        yield found


@pytest.fixture
async def installation(store: Store) -> AsyncIterator[Installation]:
    found = Installation(store)
    await found.seed()
    yield found
    await found.core.close()


def database_of(installation: Installation) -> SqliteDatabase:
    assert isinstance(installation.database, SqliteDatabase)
    return installation.database


def reader(path: Path) -> sqlite3.Connection:
    """Opens a connection as another program would, such as a backup, and keeps a snapshot open."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM messages").fetchall()
    return connection


async def test_the_wal_is_truncated_after_a_long_reader_has_ended(installation: Installation) -> None:
    database = database_of(installation)
    file = wal_path(database.path)
    with closing(reader(database.path)):
        await installation.accept.accept(installation.envelope(), mail(body="x" * LARGE))
        assert file_size(file) > LARGE
        assert not wal.truncate_wal(database), "the reader needs the WAL"
        assert file_size(file) > LARGE
        await installation.accept.accept(installation.envelope(), mail("<two@customer.test>"))
    assert wal.truncate_wal(database)
    assert file_size(file) == 0
    assert not wal.truncate_wal(database), "there is nothing to truncate"
    await installation.accept.accept(installation.envelope(), mail("<three@customer.test>"))
    assert len(await installation.all_rows("messages")) == 3


async def test_a_commit_truncates_the_wal_too(installation: Installation) -> None:
    """`journal_size_limit` takes effect when a commit restarts the WAL."""
    database = database_of(installation)
    with closing(reader(database.path)):
        await installation.accept.accept(installation.envelope(), mail(body="x" * LARGE))
    for n in range(3):
        await installation.accept.accept(installation.envelope(), mail(f"<{n}@customer.test>"))
    assert file_size(wal_path(database.path)) <= WAL_LIMIT


@pytest.mark.parametrize("writer", ["another program's", "ours"])
async def test_truncation_does_not_wait_for_a_writer(installation: Installation, writer: str) -> None:
    database = database_of(installation)
    with closing(reader(database.path)):
        await installation.accept.accept(installation.envelope(), mail(body="x" * LARGE))
    if writer == "ours":
        async with database.transaction() as transaction:
            await transaction.execute("routing_increment_version")
            assert not wal.truncate_wal(database)
    else:
        with closing(sqlite3.connect(database.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert not wal.truncate_wal(database)
            other.execute("ROLLBACK")
    assert wal.truncate_wal(database)


async def test_reads_leave_no_snapshot_open(installation: Installation) -> None:
    database = database_of(installation)
    accepted = await installation.accept.accept(installation.envelope(), mail(body="x" * LARGE))
    assert await database.fetch_one("contents_raw_chunk", message_id=accepted.message_id, n=0) is not None
    assert await database.fetch_one("contents_raw_chunk", message_id=accepted.message_id, n=1) is not None
    assert wal.truncate_wal(database)


async def test_the_wal_counts_as_space_that_the_database_needs(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = database_of(installation)
    found = os.statvfs(tmp_path)
    monkeypatch.setattr(os, "statvfs", lambda _: found)
    free = found.f_bavail * found.f_frsize
    with closing(reader(database.path)):
        await installation.accept.accept(installation.envelope(), mail(body="x" * LARGE))
    reserve = free - LARGE // 2
    with pytest.raises(StorageFull, match="WAL"):
        await FreeSpaceCheck(database.path, reserve, FakeClock()).check()
    await FreeSpaceCheck(database.path, free - file_size(wal_path(database.path)), FakeClock()).check()
    assert wal.truncate_wal(database)
    await FreeSpaceCheck(database.path, reserve, FakeClock()).check()

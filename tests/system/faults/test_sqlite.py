"""Faults that affect the SQLite file, such as a full disk, a lock or missing permissions."""

import resource
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests.support.postgres import PostgresServer
from tests.system.crash.audit import NamespaceDatabaseReader
from tests.system.crash.system_under_test import system_under_test
from tests.system.faults.replies import assert_recovered, assert_temporary_failure, require_mounts, send_one

MAILS = 12
SMALL_DISK_BYTES = 16 * 1024 * 1024  # twice the WAL size at which a checkpoint runs
MIN_FREE_BYTES = 2 * 1024 * 1024
LARGE_MAIL = 6  # every sixth message has 300 KiB


def no_server() -> PostgresServer:
    raise AssertionError("these tests have no PostgreSQL")


@pytest.mark.parametrize("kept_free", [0, MIN_FREE_BYTES])
async def test_the_disk_is_full(tmp_path: Path, kept_free: int) -> None:
    """The program sees a small file system, which the test fills through /proc.

    If the disk is completely full, the commit fails. Below `min_free_bytes`, messages are rejected before the commit.
    """
    folder = tmp_path / "data"
    folder.mkdir()
    await require_mounts(folder)
    settings: dict[str, object] = {"smtp.min_free_bytes": kept_free}
    async with (
        system_under_test("sqlite", folder, no_server, aliases=2, settings=settings) as system,
        system.start_mta() as mta,
    ):
        program = await system.start(options=("--small-disk", f"{folder}:{SMALL_DISK_BYTES}", *system.clock_options))
        inside = Path(f"/proc/{program.pid}/root{folder}")
        system.database = NamespaceDatabaseReader(inside / "emailrouter.db", tmp_path)
        system.clock_file = inside / system.clock_file.name
        mta.queue(system.new_mails(MAILS))
        await mta.wait_accepted(6)
        ballast = inside / "ballast"
        if kept_free:
            ballast.write_bytes(bytes(shutil.disk_usage(inside).free - kept_free // 2))
        else:
            with pytest.raises(OSError, match="No space left"):
                ballast.write_bytes(bytes(2 * SMALL_DISK_BYTES))
        mta.queue(system.new_mails(MAILS, large=LARGE_MAIL))
        await mta.wait_until(lambda: any(reply.startswith("452 4.3.1") for reply in mta.deferred))
        large = [mail for mail in system.new_mails(LARGE_MAIL, large=LARGE_MAIL) if len(mail.content) > 9999]
        assert_temporary_failure(await send_one(system, large[0]), 452, "4.3.1")
        ballast.unlink()
        await assert_recovered(system, mta)


async def test_the_file_cannot_grow(tmp_path: Path) -> None:
    """Lowering the file size limit of the running program makes its commits fail."""
    async with system_under_test("sqlite", tmp_path, no_server, aliases=2) as system, system.start_mta() as mta:
        program = await system.start(options=system.clock_options)
        mta.queue(system.new_mails(MAILS))
        await mta.wait_accepted(6)
        _, hard = resource.prlimit(program.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (4096, hard))
        mta.queue(system.new_mails(MAILS, large=LARGE_MAIL))
        await mta.wait_until(lambda: len(mta.deferred) >= 3)
        assert_temporary_failure(await send_one(system))
        resource.prlimit(program.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        await assert_recovered(system, mta)
        with closing(sqlite3.connect(tmp_path / "emailrouter.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


async def test_another_program_holds_the_lock(tmp_path: Path) -> None:
    settings: dict[str, object] = {"database.busy_timeout": "1s"}
    async with (
        system_under_test("sqlite", tmp_path, no_server, aliases=2, settings=settings) as system,
        system.start_mta() as mta,
    ):
        await system.start(options=system.clock_options)
        mta.queue(system.new_mails(MAILS))
        await mta.wait_accepted(6)
        with closing(sqlite3.connect(tmp_path / "emailrouter.db", isolation_level=None)) as connection:
            connection.execute("PRAGMA busy_timeout = 10000")
            connection.execute("BEGIN IMMEDIATE")
            assert_temporary_failure(await send_one(system))
            mta.queue(system.new_mails(MAILS))
            await mta.wait_until(lambda: len(mta.deferred) >= 3)
            connection.execute("ROLLBACK")
        await assert_recovered(system, mta)


async def test_the_file_is_read_only(tmp_path: Path) -> None:
    """The program waits until the file is writable. A restore by another user may leave a read-only file."""
    folder = tmp_path / "data"
    folder.mkdir()
    async with system_under_test("sqlite", folder, no_server, aliases=2) as system, system.start_mta() as mta:
        mta.queue(system.new_mails(MAILS))
        file = folder / "emailrouter.db"
        file.chmod(0o400)
        folder.chmod(0o500)
        program = await system.launch("serve", options=("--obey-modes",))
        try:
            (away, *_) = await program.wait_event("database.unavailable")
            assert "read" in away["reason"], away
            assert not mta.acknowledged
        finally:
            folder.chmod(0o700)
            file.chmod(0o600)
        await system.wait_ready(program)
        await assert_recovered(system, mta)


@pytest.mark.parametrize("while_posting", [False, True])
async def test_the_file_is_moved_and_moved_back(tmp_path: Path, while_posting: bool) -> None:
    """While the file is away, no message is answered `250`. A post in progress is not repeated."""
    file, away = tmp_path / "emailrouter.db", tmp_path / "away.db"
    async with system_under_test("sqlite", tmp_path, no_server, aliases=2) as system, system.start_mta() as mta:
        program = await system.start(options=system.clock_options)
        mta.queue(system.new_mails(MAILS))
        await mta.wait_accepted(6 if while_posting else MAILS)
        if not while_posting:
            await system.wait_delivered()
        file.rename(away)
        mta.queue(system.new_mails(MAILS))
        await mta.wait_until(lambda: len(mta.deferred) >= 3)
        assert_temporary_failure(await send_one(system))
        (api,) = system.api_addresses()
        async with aiohttp.ClientSession() as client:
            async with client.get(f"http://{api}/readyz") as answer:
                said = await answer.json()
                assert answer.status == 503
                assert "Restart the program" in said["error"]["message"]
            away.rename(file)
            async with client.get(f"http://{api}/readyz") as answer:
                assert answer.status == 200
        await assert_recovered(system, mta)
        assert [len(program.log_events(event)) for event in ("database.file_replaced", "database.file_restored")] == [
            1,
            1,
        ]

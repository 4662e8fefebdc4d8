"""Backups made with the commands of docs/backup-and-restore.md while mail is accepted are complete.

A restored backup contains every message accepted before the backup began. It passes the loss audit, and the program
can run on it.
"""

import asyncio
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Coroutine
from contextlib import closing
from pathlib import Path

import pytest

from router.admin.installation.loss_audit import audit_losses
from router.store.migrate import load_migrations
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.installation import Installation, migrated_installation, split_address
from tests.support.postgres import PostgresServer
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.stores import postgres_database, sqlite_database
from tests.system.restart.load import under_load

# `rate_windows` is not compared. Its rows only count requests, and expire.
TABLES = frozenset(re.findall(r"CREATE TABLE (\w+)", load_migrations()[0].text)) - {"rate_windows"}
MESSAGES = 25
Backup = Callable[[str], Coroutine[None, None, str]]


def _sqlite_backups(folder: Path) -> Backup:
    """Returns a function that runs `VACUUM INTO`, which is unaffected by concurrent writes."""

    async def backup(name: str) -> str:
        source, copy = folder / "emailrouter.db", folder / f"{name}.db"
        statement = f"VACUUM INTO '{copy}'"
        command = ["sqlite3", "-cmd", ".timeout 10000", str(source), statement]
        if shutil.which("sqlite3") is None:
            code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], timeout=10).execute(sys.argv[2])"
            command = [sys.executable, "-c", code, str(source), statement]
        await _run_command(*command)
        with closing(sqlite3.connect(copy)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return f"sqlite:///{copy}"

    return backup


def _postgres_backups(server: PostgresServer, url: str, folder: Path) -> Backup:
    """Returns a function that runs `pg_dump`, then `pg_restore` into an empty database."""

    async def backup(name: str) -> str:
        dump = folder / f"{name}.dump"
        await _run_command("pg_dump", "--format=custom", f"--file={dump}", url)
        restored = await server.create_database()
        await _run_command("pg_restore", "--no-owner", "--exit-on-error", f"--dbname={restored}", str(dump))
        return restored

    return backup


async def _run_command(*command: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()


def _database(url: str) -> SqliteDatabase | PostgresDatabase:
    if url.startswith("sqlite:///"):
        return sqlite_database(Path(url.removeprefix("sqlite:///")))
    return postgres_database(url)


async def test_sqlite(tmp_path: Path, slack: SlackStandIn) -> None:
    async with migrated_installation(tmp_path, slack) as installation:
        await _back_up_and_restore(installation, _sqlite_backups(tmp_path), tmp_path)


@pytest.mark.skipif(shutil.which("pg_restore") is None, reason="this machine has no PostgreSQL programs")
async def test_postgres(
    tmp_path: Path, slack: SlackStandIn, postgres_url: str, postgres_server: PostgresServer
) -> None:
    async with migrated_installation(tmp_path, slack, postgres_url) as installation:
        await _back_up_and_restore(installation, _postgres_backups(postgres_server, postgres_url, tmp_path), tmp_path)


async def _back_up_and_restore(original: Installation, backup: Backup, folder: Path) -> None:
    async with Program("serve", env=original.settings, cwd=folder) as program:
        ready = await program.ready()
        async with under_load(split_address(ready["smtp"][0])) as load:
            await load.wait_for_more(MESSAGES)
            accepted = set(load.accepted.values())
            copying = asyncio.create_task(backup("online"))
            await load.wait_for_more(MESSAGES)
            online = await copying
        assert await program.terminate() == 0
    still = await backup("still")

    await _assert_complete(online, accepted)
    assert await _count_rows(still) == await _count_rows(str(original.settings["database.url"]))
    settings = {**original.settings, "database.url": online}
    async with Program("serve", env=settings, cwd=folder) as program:
        ready = await program.ready()
        async with under_load(split_address(ready["smtp"][0])) as load:
            await load.wait_for_more(1)
        assert await program.terminate() == 0
    await _assert_complete(online, {*accepted, *load.accepted.values()})


async def _assert_complete(url: str, accepted: set[str]) -> None:
    """Asserts that every accepted message is stored and that the loss audit passes."""
    database = _database(url)
    await database.open()
    try:
        found = await audit_losses(database)
        assert found.list_faults() == []
        assert found.messages >= len(accepted)
        for message_id in accepted:
            assert await database.fetch_one("contents_raw_chunk", message_id=message_id, n=0) is not None
    finally:
        await database.close()


async def _count_rows(url: str) -> dict[str, object]:
    database = _database(url)
    await database.open()
    try:
        return {table: len(await seeds.execute(database, f"SELECT 1 FROM {table}")) for table in TABLES}
    finally:
        await database.close()

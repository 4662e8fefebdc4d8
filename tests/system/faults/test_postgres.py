"""PostgreSQL refuses, restarts, hangs, loses connections, has no place left, a full disk, or takes no writes."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from router.store.postgres_connection import PROBE_AFTER_SECONDS
from tests.support.postgres import PostgresServer, private_postgres
from tests.support.process import run_cli
from tests.support.relay import Relay
from tests.support.waiting import state, until
from tests.system.crash.mta import Mta
from tests.system.crash.rig import Rig, new_rig
from tests.system.faults.asking import PATIENCE, assert_put_off, mended, need_mounts, say

Server = Callable[[], PostgresServer]
SETTINGS: dict[str, object] = {
    "database.connect_timeout": "1s",
    "database.statement_timeout": "1s",
    "database.pool_size": 4,
}
MAILS = 12
SMALL = 40 * 1024 * 1024  # two empty databases are 18 MiB
OURS = "application_name = 'emailrouter'"


@asynccontextmanager
async def sending(folder: Path, mortal: Server, **settings: object) -> AsyncIterator[tuple[Rig, Mta]]:
    """An installation without a program, and a sender that has mail for it."""
    async with (
        new_rig("postgres", folder, mortal, aliases=2, settings={**SETTINGS, **settings}) as rig,
        rig.mta(timeout=PATIENCE) as mta,
    ):
        mta.offer(rig.mails(MAILS, replies=4))
        yield rig, mta


@asynccontextmanager
async def admin(rig: Rig) -> AsyncIterator[Any]:
    """A connection of the test's own."""
    connection = await asyncpg.connect(rig.url, timeout=10)
    try:
        yield connection
    finally:
        await connection.close()


async def test_it_refuses_and_restarts(mortal: Server, tmp_path: Path) -> None:
    async with sending(tmp_path, mortal) as (rig, mta):
        await mortal().stop()
        program = await rig.launch("serve", options=rig.clock_options)
        await program.wait_event("database.unavailable")
        await mortal().start()
        await rig.ready(program)
        await mta.all_taken()
        await mortal().stop()
        assert_put_off(await say(rig))
        mta.offer(rig.mails(MAILS))
        await mta.until(lambda: len(mta.put_off) >= 3)
        await mortal().start()
        await mortal().restart()
        await mended(rig, mta)


async def test_it_hangs(mortal: Server, tmp_path: Path) -> None:
    """Stopped with SIGSTOP: connections stand, nothing answers, also not to a new one."""
    async with sending(tmp_path, mortal) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.taken(3)
        await mortal().pause()
        assert_put_off(await say(rig))
        mta.offer(rig.mails(MAILS))
        await mta.until(lambda: len(mta.put_off) >= 3)
        await mortal().resume()
        await mended(rig, mta)


async def test_a_firewall_forgets_its_connections(mortal: Server, tmp_path: Path) -> None:
    """They stay open and nothing comes through; new ones work. No mail is put off.

    A statement may take longer here than the test waits: a program that waits for its timeout fails the test.
    """
    async with sending(tmp_path, mortal) as (rig, mta):
        parts = urlsplit(rig.url)
        async with Relay(parts.port or 0) as relay:
            url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{relay.port}"))
            await rig.start(
                options=rig.clock_options,
                database__url=url,
                database__statement_timeout=f"{10 * PATIENCE:.0f}s",
                database__connect_timeout="10s",
            )
            await mta.all_taken()
            for _ in range(2):
                await relay.forget_when_idle(2 * PROBE_AFTER_SECONDS)
                mta.offer(rig.mails(MAILS))
                await mta.all_taken(timeout=PATIENCE)
                await rig.settle(timeout=PATIENCE)
            assert not mta.put_off
            await mended(rig, mta)


async def test_it_lets_nobody_in_while_the_program_runs(mortal: Server, tmp_path: Path) -> None:
    """What ends a program that starts, an administrator's mistake, is a temporary failure for one that runs."""
    async with sending(tmp_path, mortal) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.all_taken()
        name = urlsplit(rig.url).path[1:]
        connection = await asyncpg.connect(urlunsplit(urlsplit(rig.url)._replace(path="/postgres")))
        try:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
            mta.offer(rig.mails(MAILS))
            await mta.until(lambda: len(mta.put_off) >= 3)
            assert_put_off(await say(rig))
            second = await run_cli("serve", env=rig.environment(), cwd=tmp_path)
            assert second.code == 2
            assert "not currently accepting connections" in second.stderr
        finally:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await connection.close()
        await mended(rig, mta)


async def test_it_loses_its_connections_in_mid_transaction(mortal: Server, tmp_path: Path) -> None:
    """The program stops itself in the middle of each kind of transaction, and an administrator ends its sessions."""
    places = ("message-written:2", "accept-commit:4", "attempt-written:3", "outcome-written:5", "parsing:7")
    async with sending(tmp_path, mortal) as (rig, mta):
        options = [option for place in places for option in ("--stop-at", place)]
        program = await rig.start(options=(*options, *rig.clock_options))
        sessions = []
        for n in range(len(places)):
            mta.offer(rig.mails(MAILS))
            await until(lambda: state(program.pid) == "T", f"the program stopped itself {n + 1} times")
            async with admin(rig) as connection:
                ended = await connection.fetch(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
            sessions.append(len(ended))
            program.resume()
        # Parsing is outside of transactions: if it comes right after another place, no session is there yet.
        assert sum(map(bool, sessions)) >= len(places) - 1, sessions
        assert mta.put_off
        await mended(rig, mta)


async def test_it_goes_away_between_post_and_outcome(mortal: Server, tmp_path: Path) -> None:
    """The outcome is kept and written when the database is back: nothing is posted twice for this."""
    async with sending(tmp_path, mortal) as (rig, mta):
        program = await rig.start(options=("--stop-at", "posted:3", *rig.clock_options))
        await until(lambda: state(program.pid) == "T", "the program stopped itself after a POST")
        await mortal().kill()
        program.resume()
        await program.wait_event("dispatch.database_unavailable", 2)
        await mortal().start()
        await mended(rig, mta)


async def test_its_pool_is_exhausted(mortal: Server, tmp_path: Path) -> None:
    """Somebody's lock holds every connection of the pool; then the server has no place for a new one."""
    async with sending(tmp_path, mortal, **{"database.pool_size": 2}) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.all_taken()
        async with admin(rig) as connection, connection.transaction():
            await connection.execute("LOCK TABLE versions, messages IN ACCESS EXCLUSIVE MODE")
            assert_put_off(await say(rig))
            mta.offer(rig.mails(MAILS))
            await mta.until(lambda: len(mta.put_off) >= 8)
        await mended(rig, mta)


async def test_it_has_no_place_for_a_connection(mortal: Server, tmp_path: Path) -> None:
    async with sending(tmp_path, mortal) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.all_taken()
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(admin(rig))
            with contextlib.suppress(asyncpg.TooManyConnectionsError):
                for _ in range(100):
                    await first.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OURS}")
                    await stack.enter_async_context(admin(rig))
                pytest.fail("the server has too many places for this test")
            assert_put_off(await say(rig))
            mta.offer(rig.mails(MAILS))
            await mta.until(lambda: len(mta.put_off) >= 3)
        await mended(rig, mta)


async def test_it_takes_no_writes(mortal: Server, tmp_path: Path) -> None:
    """What a replica says after a failover that nobody told us of."""
    async with sending(tmp_path, mortal) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.taken(3)
        async with admin(rig) as connection:
            try:
                await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
                await connection.execute("SELECT pg_reload_conf()")
                mta.offer(rig.mails(MAILS))
                await mta.until(lambda: len(mta.put_off) >= 3)
                assert_put_off(await say(rig))
            finally:
                await connection.execute("SET default_transaction_read_only = off")
                await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                await connection.execute("SELECT pg_reload_conf()")
        await mended(rig, mta)


async def test_its_disk_is_full(tmp_path: Path) -> None:
    """The disk of the databases; its log of writes lies on another, as it should. A full log ends the server itself."""
    await need_mounts(tmp_path)
    async with private_postgres(small_disk=SMALL) as server, sending(tmp_path, lambda: server) as (rig, mta):
        await rig.start(options=rig.clock_options)
        await mta.taken(3)
        async with admin(rig) as connection:
            await connection.execute("CREATE TABLE ballast (filler TEXT)")
            await connection.execute("ALTER TABLE ballast ALTER filler SET STORAGE PLAIN")
            with pytest.raises(asyncpg.DiskFullError):
                await connection.execute(
                    "INSERT INTO ballast SELECT repeat('x', 7000) FROM generate_series(1, $1)", SMALL // 7000
                )
            mta.offer(rig.mails(MAILS, large=4))
            await mta.until(lambda: any(reply.startswith("452 4.3.1") for reply in mta.put_off))
            large = [mail for mail in rig.mails(4, large=4) if len(mail.content) > 9999]
            assert_put_off(await say(rig, large[0]), 452, "4.3.1")
            await connection.execute("DROP TABLE ballast")
        await mended(rig, mta)

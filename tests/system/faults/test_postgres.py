"""PostgreSQL refuses or loses connections, restarts, hangs, is read-only, or lacks connection slots or disk space."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from router.store.postgres_connection import PROBE_AFTER_SECONDS
from tests.support.postgres import PostgresServer, open_connection, private_postgres
from tests.support.process import run_cli
from tests.support.relay import Relay
from tests.support.waiting import process_state, wait_until
from tests.system.crash.mta import QueueingMta
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test
from tests.system.faults.replies import (
    REPLY_SECONDS,
    assert_recovered,
    assert_temporary_failure,
    require_mounts,
    send_one,
)

Server = Callable[[], PostgresServer]
SETTINGS: dict[str, object] = {
    "database.connect_timeout": "1s",
    "database.statement_timeout": "1s",
    "database.pool_size": 4,
}
MAILS = 12
SMALL_DISK_BYTES = 40 * 1024 * 1024  # more than the databases need before the load
OWN_SESSIONS = "application_name = 'emailrouter'"


@asynccontextmanager
async def system_with_load(
    folder: Path, stoppable_postgres: Server, **settings: object
) -> AsyncIterator[tuple[SystemUnderTest, QueueingMta]]:
    """A system without a running program, and a sender with queued messages."""
    async with (
        system_under_test(
            "postgres", folder, stoppable_postgres, aliases=2, settings={**SETTINGS, **settings}
        ) as system,
        system.start_mta(timeout=REPLY_SECONDS) as mta,
    ):
        mta.queue(system.new_mails(MAILS, replies=4))
        yield system, mta


async def test_refused_connections_and_a_restart(stoppable_postgres: Server, tmp_path: Path) -> None:
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        await stoppable_postgres().stop()
        program = await system.launch("serve", options=system.clock_options)
        await program.wait_event("database.unavailable")
        await stoppable_postgres().start()
        await system.wait_ready(program)
        await mta.wait_all_accepted()
        await stoppable_postgres().stop()
        assert_temporary_failure(await send_one(system))
        mta.queue(system.new_mails(MAILS))
        await mta.wait_until(lambda: len(mta.deferred) >= 3)
        await stoppable_postgres().start()
        await stoppable_postgres().restart()
        await assert_recovered(system, mta)


async def test_a_hanging_server(stoppable_postgres: Server, tmp_path: Path) -> None:
    """Neither open nor new connections get a response."""
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        await system.start(options=system.clock_options)
        await mta.wait_accepted(3)
        await stoppable_postgres().pause()
        assert_temporary_failure(await send_one(system))
        mta.queue(system.new_mails(MAILS))
        await mta.wait_until(lambda: len(mta.deferred) >= 3)
        await stoppable_postgres().resume()
        await assert_recovered(system, mta)


async def test_a_firewall_drops_its_connections(stoppable_postgres: Server, tmp_path: Path) -> None:
    """No data passes on open connections, but new connections work.

    The statement timeout is longer than the test waits, so the test fails if the program waits for that timeout.
    """
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        parts = urlsplit(system.url)
        async with Relay(parts.port or 0) as relay:
            url = urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{relay.port}"))
            await system.start(
                options=system.clock_options,
                database__url=url,
                database__statement_timeout=f"{10 * REPLY_SECONDS:.0f}s",
                database__connect_timeout="10s",
            )
            await mta.wait_all_accepted()
            for _ in range(2):
                await relay.drop_when_idle(2 * PROBE_AFTER_SECONDS)
                mta.queue(system.new_mails(MAILS))
                await mta.wait_all_accepted(timeout=REPLY_SECONDS)
                await system.wait_delivered(timeout=REPLY_SECONDS)
            assert not mta.deferred
            await assert_recovered(system, mta)


async def test_connections_are_disallowed_while_the_program_runs(stoppable_postgres: Server, tmp_path: Path) -> None:
    """A program that starts during this fault exits with an error."""
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        await system.start(options=system.clock_options)
        await mta.wait_all_accepted()
        name = urlsplit(system.url).path[1:]
        connection = await asyncpg.connect(urlunsplit(urlsplit(system.url)._replace(path="/postgres")))
        try:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OWN_SESSIONS}")
            mta.queue(system.new_mails(MAILS))
            await mta.wait_until(lambda: len(mta.deferred) >= 3)
            assert_temporary_failure(await send_one(system))
            second = await run_cli("serve", env=system.environment(), cwd=tmp_path)
            assert second.code == 2
            assert "not currently accepting connections" in second.stderr
        finally:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
            await connection.close()
        await assert_recovered(system, mta)


async def test_connections_are_lost_inside_a_transaction(stoppable_postgres: Server, tmp_path: Path) -> None:
    """An administrator terminates the program's sessions inside several kinds of transactions, and during parsing."""
    places = ("message-written:2", "accept-commit:4", "attempt-written:3", "outcome-written:5", "parsing:7")
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        options = [option for place in places for option in ("--stop-at", place)]
        program = await system.start(options=(*options, *system.clock_options))
        sessions = []
        for n in range(len(places)):
            mta.queue(system.new_mails(MAILS))
            await wait_until(lambda: process_state(program.pid) == "T", f"the program stopped itself {n + 1} times")
            async with open_connection(system.url) as connection:
                ended = await connection.fetch(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OWN_SESSIONS}"
                )
            sessions.append(len(ended))
            program.resume()
        # Parsing runs outside of transactions. Right after another stop, the program may not have reconnected.
        assert sum(map(bool, sessions)) >= len(places) - 1, sessions
        assert mta.deferred
        await assert_recovered(system, mta)


async def test_unavailable_between_post_and_outcome(stoppable_postgres: Server, tmp_path: Path) -> None:
    """The deliverer keeps the outcome until the database is available, so nothing is posted twice."""
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        program = await system.start(options=("--stop-at", "posted:3", *system.clock_options))
        await wait_until(lambda: process_state(program.pid) == "T", "the program stopped itself after a POST")
        await stoppable_postgres().kill()
        program.resume()
        await program.wait_event("dispatch.database_unavailable", 2)
        await stoppable_postgres().start()
        await assert_recovered(system, mta)


async def test_an_exhausted_pool(stoppable_postgres: Server, tmp_path: Path) -> None:
    async with system_with_load(tmp_path, stoppable_postgres, **{"database.pool_size": 2}) as (system, mta):
        await system.start(options=system.clock_options)
        await mta.wait_all_accepted()
        async with open_connection(system.url) as connection, connection.transaction():
            await connection.execute("LOCK TABLE versions, messages IN ACCESS EXCLUSIVE MODE")
            assert_temporary_failure(await send_one(system))
            mta.queue(system.new_mails(MAILS))
            await mta.wait_until(lambda: len(mta.deferred) >= 8)
        await assert_recovered(system, mta)


async def test_no_free_connection_slot(stoppable_postgres: Server, tmp_path: Path) -> None:
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        await system.start(options=system.clock_options)
        await mta.wait_all_accepted()
        async with contextlib.AsyncExitStack() as stack:
            first = await stack.enter_async_context(open_connection(system.url))
            with contextlib.suppress(asyncpg.TooManyConnectionsError):
                for _ in range(100):
                    await first.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {OWN_SESSIONS}")
                    await stack.enter_async_context(open_connection(system.url))
                pytest.fail("the server has too many connection slots for this test")
            assert_temporary_failure(await send_one(system))
            mta.queue(system.new_mails(MAILS))
            await mta.wait_until(lambda: len(mta.deferred) >= 3)
        await assert_recovered(system, mta)


async def test_a_read_only_server(stoppable_postgres: Server, tmp_path: Path) -> None:
    """The server becomes read-only, as after an unnoticed failover."""
    async with system_with_load(tmp_path, stoppable_postgres) as (system, mta):
        await system.start(options=system.clock_options)
        await mta.wait_accepted(3)
        async with open_connection(system.url) as connection:
            try:
                await connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
                await connection.execute("SELECT pg_reload_conf()")
                mta.queue(system.new_mails(MAILS))
                await mta.wait_until(lambda: len(mta.deferred) >= 3)
                assert_temporary_failure(await send_one(system))
            finally:
                await connection.execute("SET default_transaction_read_only = off")
                await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
                await connection.execute("SELECT pg_reload_conf()")
        await assert_recovered(system, mta)


async def test_a_full_disk(tmp_path: Path) -> None:
    """The write-ahead log is on another disk, because the server stops when it cannot write the log."""
    await require_mounts(tmp_path)
    async with (
        private_postgres(small_disk=SMALL_DISK_BYTES) as server,
        system_with_load(tmp_path, lambda: server) as (system, mta),
    ):
        await system.start(options=system.clock_options)
        await mta.wait_accepted(3)
        async with open_connection(system.url) as connection:
            await connection.execute("CREATE TABLE ballast (filler TEXT)")
            await connection.execute("ALTER TABLE ballast ALTER filler SET STORAGE PLAIN")
            with pytest.raises(asyncpg.DiskFullError):
                await connection.execute(
                    "INSERT INTO ballast SELECT repeat('x', 7000) FROM generate_series(1, $1)", SMALL_DISK_BYTES // 7000
                )
            mta.queue(system.new_mails(MAILS, large=4))
            await mta.wait_until(lambda: any(reply.startswith("452 4.3.1") for reply in mta.deferred))
            large = [mail for mail in system.new_mails(4, large=4) if len(mail.content) > 9999]
            assert_temporary_failure(await send_one(system, large[0]), 452, "4.3.1")
            await connection.execute("DROP TABLE ballast")
        await assert_recovered(system, mta)

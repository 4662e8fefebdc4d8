"""While the database hangs, requests get a response and a stop completes.

The database timeouts are longer than `[api] request_timeout`, so only the latter ends a request.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from tests.support.postgres import PostgresServer, open_connection, wait_until_blocked
from tests.support.process import Program
from tests.support.stores import sqlite_database
from tests.support.waiting import poll_until
from tests.system.crash.system_under_test import SystemUnderTest, system_under_test

SETTINGS: dict[str, object] = {
    "database.connect_timeout": "1h",
    "database.statement_timeout": "1h",
    "database.busy_timeout": "2s",
    "database.pool_size": 2,
    "api.request_timeout": "500ms",
    "api.requests_per_minute": 0,
    "api.requests_per_day": 0,
}
CLIENT_TIMEOUT = aiohttp.ClientTimeout(total=30)
JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
# Different kinds of requests that query the database.
READS = (
    "/api/domains",
    "/api/emails/tickets?q=word",
    "/api/emails/messages/msg_01jqzj5v8f4m9a6w2x7t3c0dke/raw",
    "/api/emails/messages/msg_01jqzj5v8f4m9a6w2x7t3c0dke/attachments/1",
    "/tickets",
    "/manage/keys",
    "/live",
    "/readyz",
)
WRITES = (
    ("/api/domains", b'{"domain": "frozen.example"}', {**JSON, "Idempotency-Key": "once"}),
    ("/manage/keys", b"name=x&once=abc", FORM),
    ("/manage/domains", b"domain=frozen.example", FORM),
)


class StatusClient:
    """Sends requests to the process at the address `api` and returns the HTTP status codes."""

    def __init__(self, session: aiohttp.ClientSession, api: str, key: str) -> None:
        self._session = session
        self._root = f"http://{api}"
        self._headers = {"Authorization": f"Bearer {key}"}

    async def get(self, path: str) -> int:
        async with self._session.get(self._root + path, headers=self._headers, allow_redirects=False) as response:
            return response.status

    async def post(self, path: str, data: bytes, headers: dict[str, str]) -> int:
        sent = {**self._headers, **headers}
        async with self._session.post(self._root + path, data=data, headers=sent, allow_redirects=False) as response:
            return response.status


@asynccontextmanager
async def started_system(
    kind: str, folder: Path, server: Callable[[], PostgresServer], role: str = "api", **settings: object
) -> AsyncIterator[tuple[SystemUnderTest, Program, StatusClient]]:
    """A system, its running program, and a client with the key of an administrator."""
    async with (
        system_under_test(kind, folder, server, settings={**SETTINGS, **settings}) as system,
        aiohttp.ClientSession(timeout=CLIENT_TIMEOUT) as session,
    ):
        program = await system.start(role)
        (key,) = (await system.add_users(1, "admin")).values()
        yield system, program, StatusClient(session, system.api_addresses()[-1], key)


async def test_postgresql_hangs(stoppable_postgres: Callable[[], PostgresServer], tmp_path: Path) -> None:
    async with started_system("postgres", tmp_path, stoppable_postgres) as (_, program, client):
        assert await client.get("/api/domains") == 200
        await stoppable_postgres().pause()
        # The second round meets the pool that the first one left behind.
        for _ in range(2):
            assert set(await asyncio.gather(*(client.get(path) for path in READS))) == {503}
            assert set(await asyncio.gather(*(client.post(*write) for write in WRITES))) == {503}
        waited = {event["waiting_in"].partition(" ")[0] for event in program.log_events("api.request_timed_out")}
        assert waited
        assert all(place.startswith("router.store.") for place in waited), waited
        await stoppable_postgres().resume()
        await wait_until_answered(client)
        await stoppable_postgres().pause()
        asking = [asyncio.create_task(client.get(path)) for path in READS]
        await program.wait_event("api.request_timed_out", len(program.log_events("api.request_timed_out")) + 1)
        assert await program.terminate() == 0
        assert program.log_events("stopped")
        await asyncio.gather(*asking, return_exceptions=True)


async def test_a_stop_abandons_opening_the_database(
    stoppable_postgres: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """The kernel accepts the connection, but the paused server does not respond."""
    async with system_under_test("postgres", tmp_path, stoppable_postgres, settings=SETTINGS) as system:
        await stoppable_postgres().pause()
        program = await system.launch("smtp")

        async def stoppable() -> bool:
            return handles_signal(program.pid, signal.SIGTERM)

        await poll_until(stoppable, "the handler of SIGTERM")
        assert await program.terminate(timeout=60) == 0
        await stoppable_postgres().resume()
        assert [event["step"] for event in program.log_events("shutdown.step_slow")] == ["opening the database"]
        assert [event["step"] for event in program.log_events("shutdown.step_timed_out")] == ["opening the database"]


async def test_a_stop_logs_and_abandons_the_step_that_hangs(
    stoppable_postgres: Callable[[], PostgresServer], tmp_path: Path
) -> None:
    """The other steps of the shutdown still run."""
    settings = {**SETTINGS, "delivery.timeout": "100ms"}
    async with (
        system_under_test("postgres", tmp_path, stoppable_postgres, settings=settings) as system,
        open_connection(system.url) as connection,
    ):
        program = await system.start("serve")
        async with connection.transaction():
            await connection.execute("LOCK TABLE deliveries, integrations IN ACCESS EXCLUSIVE MODE")
            await wait_until_blocked(connection.fetchval)
            code = await program.terminate(timeout=90)
        assert [event["step"] for event in program.log_events("shutdown.step_slow")] == ["dispatcher"]
        assert [event["step"] for event in program.log_events("shutdown.step_timed_out")] == ["dispatcher"]
        assert program.log_events("stopped")
        assert code == 0


async def test_sqlite_is_locked_by_another_process(tmp_path: Path) -> None:
    """Write requests get a response after the request timeout instead of waiting for the lock."""
    async with started_system("sqlite", tmp_path, no_server, **{"database.busy_timeout": "1h"}) as found:
        system, program, client = found
        assert await client.get("/api/domains") == 200

        async def is_last_use_written() -> bool:
            return bool(await system.database.rows("SELECT 1 FROM api_keys WHERE last_used_at IS NOT NULL"))

        await poll_until(
            is_last_use_written, "the use of the key is written"
        )  # otherwise the write of last_used_at would wait for the lock
        async with locked_database(tmp_path / "emailrouter.db"):
            assert await client.get("/api/domains") == 200
            for _ in range(2):
                assert set(await asyncio.gather(*(client.post(*write) for write in WRITES))) == {503}
            waited = {event["waiting_in"] for event in program.log_events("api.request_timed_out")}
            assert "router.store.sqlite.raw_transaction" in waited
        assert await client.post("/api/domains", b'{"domain": "free.example"}', JSON) == 201
        assert await program.terminate() == 0


@pytest.mark.parametrize("role", ["api", "serve"])
async def test_a_stop_ends_while_sqlite_is_locked(tmp_path: Path, role: str) -> None:
    async with (
        started_system("sqlite", tmp_path, no_server, role) as (_, program, client),
        locked_database(tmp_path / "emailrouter.db"),
    ):
        assert await client.post(*WRITES[0]) == 503
        assert await program.terminate() == 0
        assert program.log_events("stopped")


def handles_signal(pid: int, number: signal.Signals) -> bool:
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def no_server() -> PostgresServer:
    raise AssertionError("SQLite needs no server")


@asynccontextmanager
async def locked_database(path: Path) -> AsyncIterator[None]:
    """Keeps a write transaction open on a second connection, as another process would."""
    other = sqlite_database(path)
    await other.open()
    async with other.transaction():
        yield
    await other.close()


async def wait_until_answered(client: StatusClient) -> None:

    async def answered() -> bool:
        return await client.get("/api/domains") == 200

    await poll_until(answered, "a response of the API")

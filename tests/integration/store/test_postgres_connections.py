"""Dead connections to PostgreSQL are replaced, server settings are overridden, and conflicts are retried."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from router.errors import ConfigurationFault, SerializationConflict, Unavailable
from router.store import catalog, pg_notify, postgres_connection
from router.store.catalog import Catalog, build_query
from router.store.database import MAX_CONFLICT_TRIES
from router.store.migrate import migrate
from router.store.postgres import PostgresDatabase
from tests.support.installation import Installation, seeded_installation
from tests.support.mails import mail
from tests.support.postgres import PostgresServer
from tests.support.relay import Relay
from tests.support.stores import Store, postgres_store
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("probe_every_connection")

SHOW = build_query("show", "SELECT :name", "SELECT current_setting(:name) AS value")
CONCURRENT_CONNECTIONS = 3  # connections that a test uses concurrently
UNREACHABLE_URL = "postgresql://u@127.0.0.1:1/mail"  # no server listens here; TLS files are read before connecting


@pytest.fixture
def probe_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "PROBE_AFTER_SECONDS", -1.0)
    monkeypatch.setattr(postgres_connection, "PROBE_TIMEOUT_SECONDS", 0.5)


@dataclass
class RelayedDatabase:
    """A database whose connections go through a relay."""

    store: Store
    relay: Relay
    database: PostgresDatabase


def relay_url(url: str, port: int) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}"))


@asynccontextmanager
async def open_database(url: str, *, statement_timeout: float = 30.0) -> AsyncIterator[PostgresDatabase]:
    queries = {query.name: query for query in (SHOW, *catalog.load_catalog())}
    database = PostgresDatabase(
        url, Catalog(queries), pool_size=5, connect_timeout=10, statement_timeout=statement_timeout
    )
    await database.open()
    try:
        yield database
    finally:
        await database.close()


@asynccontextmanager
async def open_relayed_database(
    server: PostgresServer, *, statement_timeout: float = 30.0
) -> AsyncIterator[RelayedDatabase]:
    async with postgres_store(server) as store, Relay(urlsplit(store.url).port or 0) as relay:
        url = relay_url(store.url, relay.port)
        async with open_database(url, statement_timeout=statement_timeout) as database:
            yield RelayedDatabase(Store("postgres", url, store.catalog, database), relay, database)


async def use_connections_concurrently(database: PostgresDatabase) -> None:
    together = asyncio.Barrier(CONCURRENT_CONNECTIONS)

    async def use() -> None:
        async with database.transaction() as transaction:
            await transaction.fetch_one("check_clock")
            await together.wait()

    await asyncio.gather(*(use() for _ in range(CONCURRENT_CONNECTIONS)))


async def test_a_dead_connection_is_replaced_and_all_idle_ones_are_closed(postgres_server: PostgresServer) -> None:
    async with open_relayed_database(postgres_server) as found:
        await use_connections_concurrently(found.database)
        assert found.relay.connection_count == CONCURRENT_CONNECTIONS
        found.relay.drop_connections()
        assert await found.database.fetch_one("check_clock") is not None
        await wait_until(lambda: found.relay.open_dropped_count() == 0, "the dead connections are closed")
        assert (
            found.relay.connection_count <= CONCURRENT_CONNECTIONS + 2
        )  # the two additional ones: the new connection, and one that cancels the statement


async def test_a_statement_without_a_response_reveals_a_dead_connection(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connection, "PROBE_AFTER_SECONDS", 60.0)
    monkeypatch.setattr(postgres_connection, "CLIENT_GRACE_SECONDS", 0.0)
    async with open_relayed_database(postgres_server, statement_timeout=1.0) as found:
        await use_connections_concurrently(found.database)

        async def use() -> None:
            async with found.database.transaction() as transaction:
                await transaction.fetch_one("check_clock")
                found.relay.drop_connections()
                await transaction.fetch_one("check_clock")

        with pytest.raises(Unavailable, match="timed out waiting for a response"):
            await use()
        await wait_until(lambda: found.relay.open_dropped_count() == 0, "the dead connections are closed")
        assert await found.database.fetch_one("check_clock") is not None


async def test_a_statement_timeout_of_the_server_keeps_the_connections(postgres_server: PostgresServer) -> None:
    async with open_relayed_database(postgres_server, statement_timeout=0.3) as found:
        monitor = await asyncpg.connect(found.store.url)
        await use_connections_concurrently(found.database)
        async with monitor.transaction():
            await monitor.execute("LOCK TABLE installation IN ACCESS EXCLUSIVE MODE")
            with pytest.raises(Unavailable, match="57014"):
                await found.database.fetch_one("installation_value", name="secret_key")
        assert await found.database.fetch_one("installation_value", name="secret_key") is None
        assert found.relay.connection_count == CONCURRENT_CONNECTIONS + 1  # the additional connection is `monitor`
        await monitor.close()


async def test_messages_are_accepted_although_every_connection_is_dead(postgres_server: PostgresServer) -> None:
    async with open_relayed_database(postgres_server) as found:
        installation = Installation(found.store)
        await installation.seed()
        for n in range(8):  # uses both connections of the group commit
            await asyncio.gather(
                *(
                    installation.accept.accept(installation.envelope(), mail(f"<{n}-{m}@customer.test>"))
                    for m in range(4)
                )
            )
        await use_connections_concurrently(found.database)
        found.relay.drop_connections()
        await asyncio.gather(
            *(installation.accept.accept(installation.envelope(), mail(f"<after-{m}@customer.test>")) for m in range(8))
        )
        assert len(await installation.all_rows("messages")) == 40
        await installation.close()


async def test_a_dead_listener_is_noticed(postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pg_notify, "LISTEN_CHECK_SECONDS", 0.05)
    monkeypatch.setattr(pg_notify, "RECONNECT_MIN_SECONDS", 0.05)
    async with open_relayed_database(postgres_server) as found:
        received: list[str] = []
        listening = asyncio.create_task(pg_notify.listen(found.database, received.extend, {}))
        sender = await asyncpg.connect(relay_url(found.store.url, found.relay.port))

        async def wait_for_id(name: str) -> None:
            async with asyncio.timeout(10):
                while name not in received:
                    await sender.execute("SELECT pg_notify($1, $2)", pg_notify.CHANNEL, name)
                    await asyncio.sleep(0)

        await wait_for_id("int_before")
        found.relay.drop_connections()
        sender.terminate()
        sender = await asyncpg.connect(found.store.url)
        await wait_for_id("int_after")
        await sender.close()
        listening.cancel()
        await asyncio.gather(listening, return_exceptions=True)


async def test_an_old_connection_is_replaced(postgres_server: PostgresServer) -> None:
    async with open_relayed_database(postgres_server) as found:
        connection = await found.database.connect()
        assert await found.database.ensure_usable(connection) is connection
        connection.created_at -= postgres_connection.MAX_AGE_SECONDS
        successor = await found.database.ensure_usable(connection)
        assert successor is not connection
        assert connection.is_closed()
        await successor.close()


async def test_a_connection_idle_for_long_is_replaced_without_a_probe(
    postgres_server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connection, "PROBE_TIMEOUT_SECONDS", 60.0)
    monkeypatch.setattr(postgres_connection, "MAX_IDLE_SECONDS", 0.0)
    async with open_relayed_database(postgres_server) as found:
        connection = await found.database.connect()
        found.relay.drop_connections()
        successor = await found.database.ensure_usable(connection)
        assert successor is not connection
        assert connection.is_closed()
        await successor.close()


async def test_keepalive_is_enabled_on_every_connection(postgres_server: PostgresServer) -> None:
    """/proc/net/tcp shows a timer of kind 2 (keep-alive)."""
    async with open_relayed_database(postgres_server) as found:
        await use_connections_concurrently(found.database)
        own = await found.database.connect()
        server = f"0100007F:{found.relay.port:04X}"
        table = await asyncio.to_thread(Path("/proc/net/tcp").read_text)
        lines = [line.split() for line in table.splitlines()[1:]]
        timers = [line[5][:2] for line in lines if line[2] == server and line[3] == "01"]
        assert timers == ["02"] * (CONCURRENT_CONNECTIONS + 1)
        await own.close()


# Settings of the database. The statement that replaces them with the program's values runs under them.
FOREIGN = {
    "default_transaction_isolation": "serializable",
    "lock_timeout": "1s",
    "statement_timeout": "1s",
    "idle_in_transaction_session_timeout": "1s",
    "standard_conforming_strings": "off",
}


async def test_settings_of_the_database_do_not_matter(postgres_url: str) -> None:
    other = await asyncpg.connect(postgres_url)
    name = urlsplit(postgres_url).path[1:]
    for setting, value in FOREIGN.items():
        await other.execute(f"ALTER DATABASE \"{name}\" SET {setting} = '{value}'")
    await other.close()
    async with open_database(postgres_url) as database:
        await migrate(database)
        own = await database.connect()
        shown = [await own.fetchval(f"SHOW {setting}") for setting in FOREIGN]
        await own.close()
        assert shown == ["read committed", "0", "30s", "30s", "on"]
        for _ in range(2):  # uses the same connection, which is returned to the pool in between
            async with database.transaction() as transaction:
                rows = [await transaction.fetch_one("show", name=setting) for setting in FOREIGN]
                assert [row and row["value"] for row in rows] == shown


@pytest.mark.parametrize(("for_groups", "mode"), [(False, "force_custom_plan"), (True, "force_generic_plan")])
async def test_statements_are_planned_for_their_values_except_in_groups(
    postgres_url: str, for_groups: bool, mode: str
) -> None:
    async with open_database(postgres_url) as database:
        own = await database.connect(for_groups=for_groups)
        assert await own.fetchval("SHOW plan_cache_mode") == mode
        await own.close()


CONFLICTS = """
    CREATE SEQUENCE conflicts;
    CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF nextval('conflicts') <= {times} THEN
                RAISE EXCEPTION 'could not serialize access' USING ERRCODE = '40001';
            END IF;
            RETURN NEW;
        END $$;
    CREATE TRIGGER conflict BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION conflict();
"""


@pytest.mark.parametrize(("times", "taken"), [(3, True), (1000, False)])
async def test_a_single_message_is_retried_after_a_conflict(
    postgres_server: PostgresServer, times: int, taken: bool
) -> None:
    async with postgres_store(postgres_server) as store:
        installation = Installation(store)
        await installation.seed()
        other = await asyncpg.connect(store.url)
        await other.execute(CONFLICTS.format(times=times, table="messages"))
        if taken:
            await installation.accept.accept(installation.envelope(), mail())
        else:
            with pytest.raises(SerializationConflict):
                await installation.accept.accept(installation.envelope(), mail())
        assert await other.fetchval("SELECT last_value FROM conflicts") == MAX_CONFLICT_TRIES
        assert len(await installation.all_rows("messages")) == taken
        await other.close()
        await installation.close()


async def test_a_single_statement_is_retried_after_a_conflict(postgres_server: PostgresServer) -> None:
    async with postgres_store(postgres_server) as store:
        other = await asyncpg.connect(store.url)
        await other.execute(CONFLICTS.format(times=3, table="installation"))
        await store.database.execute("installation_insert", name="a", value="b")
        row = await store.database.fetch_one("installation_value", name="a")
        assert row is not None
        assert row["value"] == "b"
        await other.close()


async def test_successive_messages_are_accepted_on_one_connection(postgres_server: PostgresServer) -> None:
    async with postgres_store(postgres_server) as store, seeded_installation(store) as installation:
        for _ in range(3):
            await installation.accept_message()
        opened = "SELECT COUNT(DISTINCT pid) AS n FROM pg_stat_activity WHERE datname = current_database()"
        assert await installation.execute(opened) == [{"n": 2}]  # with the connection of the pool
        await asyncio.gather(*(installation.accept_message() for _ in range(3)))
        assert await installation.count_rows("messages") == 6


async def test_an_older_server_is_refused(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_connection, "MIN_SERVER_VERSION", 99)
    async with open_database(postgres_url) as database:
        with pytest.raises(ConfigurationFault, match="version 99 or later is required"):
            await database.fetch_one("check_clock")


async def test_a_tls_file_in_the_home_directory_is_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".postgresql").mkdir()
    (tmp_path / ".postgresql" / "root.crt").write_text("no certificate")
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(ConfigurationFault, match=r"root\.crt is not valid PEM"):
        await postgres_connection.connect(f"{UNREACHABLE_URL}?sslmode=verify-ca", timeout=10, statement_timeout=10)


async def test_an_unavailable_server_is_not_blamed_on_a_tls_file(tmp_path: Path) -> None:
    """With `prefer`, the missing file is not used, and the server may become available again."""
    url = f"{UNREACHABLE_URL}?sslmode=prefer&sslrootcert={tmp_path}/missing.pem"
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1") as caught:
        await postgres_connection.connect(url, timeout=10, statement_timeout=10)
    assert not isinstance(caught.value, ConfigurationFault)

"""A real PostgreSQL for tests, with a database for each test.

All workers share one server. If the environment variable `TEST_POSTGRES_URL` is set, they use the running server at
that URL instead. `private_postgres` starts a server that one test may stop, kill and pause. `postgres_supervisor`
removes each started server however the tests end. By default the data is in memory where possible, with fsync off.

    url = await server.create_database()                            # empty
    template = await server.build_template("schema", build)         # calls `build(url)` unless the template exists
    url = await server.create_database(template)                    # a copy
"""

import asyncio
import contextlib
import fcntl
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from tests.support.postgres_admin import AdminConnection
from tests.support.postgres_binaries import (
    PostgresNotFoundError,
    RunAs,
    Source,
    data_parent,
    find_binaries,
    run_as,
)
from tests.support.waiting import poll_until

__all__ = ["PostgresNotFoundError", "PostgresServer", "private_postgres", "shared_server"]

_SUPERVISOR = Path(__file__).with_name("postgres_supervisor.py")
_SMALL_DISK = Path(__file__).with_name("small_disk.py")
_ANSWER_SECONDS = 120.0
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "200",
    "shared_buffers": "64MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "wal_level": "minimal",  # the tests use no replication
    "max_wal_senders": "0",
}
# Without fsync a killed server loses nothing, because the kernel keeps its writes; a machine's crash may lose data.
_NO_FSYNC = {"fsync": "off", "full_page_writes": "off", "autovacuum": "off"}


class _SupervisorClient:
    """A connection to a supervisor, which removes its server when the last connection closes."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(_ANSWER_SECONDS)
        self._request_lock = threading.Lock()
        try:
            self._socket.connect(path)
            self.hello: dict[str, Any] = self.request("hello")
        except OSError:
            self._socket.close()
            raise

    def request(self, verb: str) -> Any:
        with self._request_lock:
            self._socket.sendall(json.dumps({"do": verb}).encode() + b"\n")
            line = b""
            while not line.endswith(b"\n"):
                piece = self._socket.recv(65536)
                if not piece:
                    raise ConnectionError("the server's supervisor is gone")
                line += piece
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer["result"]

    def close(self) -> None:
        """Closes the connection. If it is the supervisor's last one, blocks until the server is removed."""
        try:
            self._socket.shutdown(socket.SHUT_WR)
            self._socket.recv(1)
        except OSError:
            pass  # the supervisor is already gone
        finally:
            self._socket.close()


async def wait_until_blocked(fetch: Callable[[str], Awaitable[object]]) -> None:
    """Polls until a transaction waits for a lock in the database in which `fetch` executes a query."""
    # Not pg_stat_activity, whose rows do not change during a transaction of the caller. The lock of a row belongs to no
    # database, but a process that waits for one also holds locks of tables.
    waiting = (
        "SELECT 1 FROM pg_locks WHERE NOT granted AND pid IN (SELECT l.pid FROM pg_locks l JOIN pg_database d "
        "ON d.oid = l.database WHERE d.datname = current_database())"
    )
    await poll_until(lambda: fetch(waiting), "a transaction that waits for a lock")


@asynccontextmanager
async def open_connection(url: str) -> AsyncIterator[Any]:
    connection = await asyncpg.connect(url, timeout=30)
    try:
        yield connection
    finally:
        await connection.close()


class PostgresServer:
    """A PostgreSQL server for tests. control: None for an external server."""

    def __init__(self, url: str, control: _SupervisorClient | None) -> None:
        self.url = url  # URL of the maintenance database
        self._control = control
        self._admin = AdminConnection(url)
        # Prefix of database names. On an external server it is unique to this object. On the tests' own server it is
        # empty, so that all workers share templates.
        self._prefix = "" if control else f"er_test_{uuid.uuid4().hex[:12]}_"
        self._tablespace = ""
        self._created: set[str] = set()
        self._templates: set[str] = set()

    # --- databases

    async def create_database(self, template: str | None = None, *, locale: str = "") -> str:
        """Creates a database, empty or as a copy of `template`, and returns its URL.

        Args:
            locale: The options of CREATE DATABASE for the locale. By default the locale of the template.
        """
        name = f"{self._prefix}t_{uuid.uuid4().hex[:16]}"
        source = f'TEMPLATE "{template}"' if template else "TEMPLATE template0"

        async def create(connection: Any) -> None:
            # Copying the files takes half as long as logging the blocks, the default of PostgreSQL 15 and later.
            copy = " STRATEGY file_copy" if connection.get_server_version() >= (15,) else ""
            await connection.execute(f'CREATE DATABASE "{name}" {source}{copy}{self._tablespace} {locale}')

        await self._admin.run(create)
        self._created.add(name)
        return self.database_url(name)

    async def use_tablespace(self, folder: Path) -> None:
        """Makes `create_database` store databases in this folder, which must belong to the server's user."""
        await self._admin.run(
            lambda connection: connection.execute(f"CREATE TABLESPACE er_elsewhere LOCATION '{folder}'")
        )
        self._tablespace = " TABLESPACE er_elsewhere"

    async def drop_database(self, url: str) -> None:
        name = urlsplit(url).path.lstrip("/")
        await self._admin.run(lambda connection: connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))
        self._created.discard(name)

    async def build_template(self, name: str, build: Callable[[str], Awaitable[object]]) -> str:
        """Returns the name of a template database; `build(url)` fills it unless a worker has already done so.

        `build` must close its connections before it returns. A failed build is repeated at the next call.
        """
        database = f"{self._prefix}template_{name}"
        if database in self._templates:
            return database
        async with open_connection(self.url) as connection:  # closing the connection releases the advisory lock
            await connection.execute("SELECT pg_advisory_lock(hashtext($1))", database)
            known = await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
            if not known:
                building = f"{database}_building"
                await connection.execute(f'DROP DATABASE IF EXISTS "{building}" WITH (FORCE)')
                await connection.execute(f'CREATE DATABASE "{building}" TEMPLATE template0')
                self._created.add(building)
                await build(self.database_url(building))
                await connection.execute(f'ALTER DATABASE "{building}" RENAME TO "{database}"')
                self._created.discard(building)
                self._created.add(database)
        self._templates.add(database)
        return database

    def database_url(self, database: str) -> str:
        return urlunsplit(urlsplit(self.url)._replace(path=f"/{database}"))

    # --- faults of a private server

    async def stop(self) -> None:
        """Stops the server; `start` restarts it at the same address with its data."""
        await self.request("stop")

    async def start(self) -> None:
        await self.request("start")

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def kill(self) -> None:
        """Kills the server; `start` recovers the data from the WAL."""
        await self.request("kill")

    async def pause(self) -> None:
        """Suspends the server: the kernel still accepts connections, but nothing answers them."""
        await self.request("pause")

    async def resume(self) -> None:
        await self.request("resume")

    @property
    def root(self) -> Path | None:
        """The folder that contains the data directory and the log; None for an external server."""
        return Path(self._control.hello["root"]) if self._control else None

    @property
    def socket_dir(self) -> str:
        """The folder of the Unix socket; "" for an external server."""
        return str(self._control.hello["socket_dir"]) if self._control else ""

    def log_text(self) -> str:
        return (self.root / "log").read_text(errors="replace") if self.root else ""

    def close(self) -> None:
        """Closes the connection to the supervisor. If it is the last one, blocks until the server is removed.

        On an external server, drops the databases that this object has created.
        """
        if self._control is None:
            asyncio.run(self._drop_created_databases())
        self._admin.close()
        if self._control is not None:
            self._control.close()

    # --- internals

    async def request(self, verb: str) -> None:
        if self._control is None:
            raise RuntimeError("cannot stop the server of TEST_POSTGRES_URL: use private_postgres()")
        await asyncio.to_thread(self._control.request, verb)

    async def _drop_created_databases(self) -> None:
        for name in list(self._created):
            await self.drop_database(self.database_url(name))


def shared_server(folder: Path) -> PostgresServer:
    """Returns the server that all workers share, and starts it if it is not running.

    folder: a folder that is the same for all workers.
    """
    url = os.environ.get("TEST_POSTGRES_URL")
    if url:
        return PostgresServer(url, None)
    address = folder / "postgres.json"
    with _file_lock(folder / "postgres.lock"):
        try:
            control = _SupervisorClient(json.loads(address.read_text())["control"])
        except (OSError, ValueError):  # the server is not started yet, or all its users have ended
            control = _start_supervisor({**_SETTINGS, **_NO_FSYNC})
            address.write_text(json.dumps({"control": control.path}))
    return _supervised_server(control)


@asynccontextmanager
async def private_postgres(
    *,
    fsync: bool = False,
    source: Source | None = None,
    settings: Mapping[str, str] | None = None,
    parent: Path | None = None,
    small_disk: int = 0,
) -> AsyncIterator[PostgresServer]:
    """Starts a server for one test.

    Args:
        source: `system` or `wheel`, to require one kind of binaries.
        parent: The folder in which the data directory is created.
        small_disk: The size in bytes of a separate file system for the databases, but not for the WAL; 0 for none.

    Raises:
        RuntimeError: The server does not start, or the kernel does not permit mounting the file system.
    """
    chosen = {**_SETTINGS, **({} if fsync else _NO_FSYNC), **(settings or {})}
    with contextlib.ExitStack() as stack:
        prefix: list[str] = []
        if small_disk:
            user = run_as()
            disk = Path(tempfile.mkdtemp(prefix="er-pgd-", dir=data_parent(user)))
            stack.callback(disk.rmdir)  # the mount is not visible in this process
            owner = (user.uid, user.gid) if user else (os.getuid(), os.getgid())
            prefix = [sys.executable, "-I", str(_SMALL_DISK), str(disk), str(small_disk), *map(str, owner), "--"]
        server = _supervised_server(await asyncio.to_thread(_start_supervisor, chosen, source, parent, prefix))
        try:
            if small_disk:
                await server.use_tablespace(disk)
            yield server
        finally:
            await asyncio.to_thread(server.close)


def _supervised_server(control: _SupervisorClient) -> PostgresServer:
    hello = control.hello
    return PostgresServer(f"postgresql://{hello['user']}@127.0.0.1:{hello['port']}/postgres", control)


def _start_supervisor(
    settings: Mapping[str, str],
    source: Source | None = None,
    parent: Path | None = None,
    prefix: Sequence[str] = (),
) -> _SupervisorClient:
    user: RunAs | None = run_as()
    binaries = find_binaries(user, source)
    config = {
        "bin": str(binaries.folder),
        "parent": str(parent or data_parent(user)),
        "sockets": str(data_parent(user)),
        "uid": user.uid if user else None,
        "gid": user.gid if user else None,
        "settings": dict(settings),
        "remove": [str(binaries.staged)] if binaries.staged else [],
    }
    # The open standard input keeps the supervisor alive until this process has connected.
    with subprocess.Popen(
        [*prefix, sys.executable, "-I", str(_SUPERVISOR), json.dumps(config)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as supervisor:
        assert supervisor.stdout is not None
        said = json.loads(supervisor.stdout.readline() or '{"error": "the supervisor ended without output"}')
        if "error" in said:
            raise RuntimeError(f"PostgreSQL from {binaries.folder} does not start: {said['error']}")
        return _SupervisorClient(said["control"])


@contextmanager
def _file_lock(path: Path) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

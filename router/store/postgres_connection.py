"""One connection to PostgreSQL: how it is made, what is set on it, and when it is no longer trusted.

A firewall may forget a connection without a word: then nothing comes back, and a statement would wait for its whole
timeout. Keep-alive keeps connections known, and tells of some that are not; a connection that was not used for a
moment has to answer a short question before it is used; one that was idle for long, or is old, is replaced.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg

from router.errors import Misconfigured, Unavailable
from router.store.postgres_errors import from_connect_error

# Seconds without use after which a connection has to answer before it is used. One round trip (0.1 ms on one host, 0.5
# ms in a data centre), at most 20 times a second; a busy server never pays it. The dispatcher asks twice a second,
# so a longer time would take a connection for alive that was forgotten since.
PROBE_AFTER_SECONDS = 0.05
# Seconds to wait for that answer, or `connect_timeout` where that is less: a query that reads nothing takes
# milliseconds, and a lost packet is sent again after 0.2, 0.6 and 1.4 s. A false alarm costs a new connection.
PROBE_TIMEOUT_SECONDS = 2.0
# Seconds without use after which a connection is replaced unseen: firewalls forget after 240 to 350 s.
MAX_IDLE_SECONDS = 180.0
# Seconds after which any connection is replaced, so that a changed address, role or certificate takes effect.
MAX_AGE_SECONDS = 1800.0
# Seconds that the client waits longer than the server's own statement_timeout, for the server's answer to arrive.
CLIENT_GRACE_SECONDS = 2.0

# TCP keep-alive: first after 60 s without traffic (address translation may forget after 120 s), then every 10 s;
# three without an answer end the connection.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 60, 10, 3

# The oldest server with all that the queries use: CTEs marked MATERIALIZED came with 12.
MIN_SERVER_VERSION = 12

APPLICATION_NAME = "emailrouter"

# What the program relies on, whatever a role, a database or the server sets. Not among them: settings that are an
# administrator's choice (search_path, synchronous_commit) or say what the server is (default_transaction_read_only).
_SESSION_SETTINGS = {
    # Claims, ticket numbers and group commits wait for a row's lock and then see what was committed meanwhile.
    "default_transaction_isolation": "'read committed'",
    # statement_timeout bounds waiting for locks too; a shorter bound would put mail off for a busy row.
    "lock_timeout": "0",
    # Patterns in the queries contain backslashes.
    "standard_conforming_strings": "on",
}


# The files of TLS by parameter, with their names in ~/.postgresql, where the driver looks for them too.
_TLS_FILES = {
    "sslrootcert": "root.crt",
    "sslcrl": "root.crl",
    "sslkey": "postgresql.key",
    "sslcert": "postgresql.crt",
}
# Errors that no file can be the reason for: the driver reads the files before it connects.
_NETWORK_ERRORS = (ConnectionError, TimeoutError, socket.gaierror)


class PostgresConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection that knows its age. made_at, used_at: the loop's time when it was made, and last answered.

    busy: taken out of the pool, so it must not be closed as idle.
    """

    __slots__ = ("created_at", "is_busy", "used_at")

    def __init__(self, protocol: Any, transport: Any, loop: asyncio.AbstractEventLoop, *args: Any) -> None:
        super().__init__(protocol, transport, loop, *args)
        self.created_at = self.used_at = loop.time()
        self.is_busy = False

    def unwrap(self) -> PostgresConnection:
        """The connection behind the pool's stand-in for it."""
        return self

    def enable_keepalive(self, connect_timeout: float) -> None:
        """Has the kernel ask for a sign of life, and give up on data that is not acknowledged for so many seconds."""
        sock = self._transport.get_extra_info("socket")
        if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in (
            ("TCP_KEEPIDLE", KEEPALIVE_IDLE),
            ("TCP_KEEPINTVL", KEEPALIVE_INTERVAL),
            ("TCP_KEEPCNT", KEEPALIVE_COUNT),
            ("TCP_USER_TIMEOUT", int(connect_timeout * 1000)),
        ):
            if hasattr(socket, option):  # not on every platform
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def is_expired(self, now: float) -> bool:
        """Whether it is closed, too old, or was idle for too long to be tried."""
        return self.is_closed() or now - self.created_at > MAX_AGE_SECONDS or now - self.used_at > MAX_IDLE_SECONDS

    async def check_alive(self, now: float, within: float) -> bool:
        """Whether the server answers; not asked again within `PROBE_AFTER` of its last answer."""
        if now - self.used_at <= PROBE_AFTER_SECONDS:
            return True
        try:
            await self.execute("SELECT 1", timeout=min(PROBE_TIMEOUT_SECONDS, within))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return False
        self.used_at = self._loop.time()
        return True


async def connect(
    dsn: str, *, timeout: float, statement_timeout: float, without_server_timeout: bool = False
) -> PostgresConnection:
    """A new connection, with everything set that the program relies on. Raises `Unavailable` and its kinds.

    Args:
        dsn: A PostgreSQL URL, as asyncpg takes it.
        timeout: Seconds for all of it.
        statement_timeout: Seconds a statement may take, in the server; the client waits a little longer.
        patient: The server does not bound statements: for copies and migrations of large tables.
    """
    query = parse_qs(urlsplit(dsn).query)
    settings = {} if "application_name" in query else {"application_name": APPLICATION_NAME}
    connection: PostgresConnection | None = None
    try:
        async with asyncio.timeout(timeout):
            connection = await asyncpg.connect(
                dsn,
                timeout=timeout,
                command_timeout=statement_timeout + CLIENT_GRACE_SECONDS,
                connection_class=PostgresConnection,
                server_settings=settings,
            )
            connection.enable_keepalive(timeout)
            _check_server(connection)
            await connection.execute(_set_statements(connection, 0 if without_server_timeout else statement_timeout))
    except BaseException as error:
        if connection is not None:
            connection.terminate()
        if isinstance(error, Unavailable) or not isinstance(error, Exception):
            raise
        if isinstance(error, OSError | ValueError) and not isinstance(error, _NETWORK_ERRORS):
            _check_tls_files({name: values[-1] for name, values in query.items()})
        raise from_connect_error(error, _describe_hosts(dsn)) from error
    return connection


def _set_statements(connection: PostgresConnection, statement_timeout: float) -> str:
    milliseconds = str(int(statement_timeout * 1000))
    pinned = {
        **_SESSION_SETTINGS,
        "statement_timeout": milliseconds,
        # A process that stands still must not hold locks for ever, and one that works must not be cut short.
        "idle_in_transaction_session_timeout": milliseconds,
    }
    if connection.get_server_version().major >= 17:
        pinned["transaction_timeout"] = "0"
    return "; ".join(f"SET {name} = {value}" for name, value in pinned.items())


def _check_server(connection: PostgresConnection) -> None:
    version = connection.get_server_version()
    if version.major < MIN_SERVER_VERSION:
        raise Misconfigured(
            f"the server is PostgreSQL {version.major}.{version.minor}",
            f"version {MIN_SERVER_VERSION} or later is required",
        )
    encoding = getattr(connection.get_settings(), "server_encoding", "UTF8")  # a pooler may keep it to itself
    if encoding != "UTF8":
        raise Misconfigured(
            f"the database encoding is {encoding}, which cannot store every message",
            "create the database with encoding UTF8 (createdb --encoding UTF8 --template template0 --owner ROLE NAME)",
        )


def _check_tls_files(query: Mapping[str, str]) -> None:
    """Raises `Misconfigured` for a file of TLS that cannot be read, or does not hold what it should."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for name in _TLS_FILES:
        file, origin = _tls_file(name, query)
        if file is None:
            continue
        try:
            Path(file).open("rb").close()
            if name == "sslcert":
                key, _ = _tls_file("sslkey", query)
                context.load_cert_chain(file, key, password=lambda: query.get("sslpassword", ""))
            elif name != "sslkey":
                context.load_verify_locations(cafile=file)
        except ssl.SSLError:
            problem = f"the file {file} is not valid PEM, or the key does not match the certificate"
            raise Misconfigured(problem, f"check {origin}") from None
        except OSError as error:
            problem = f"the file {file} cannot be read ({error.strerror})"
            raise Misconfigured(problem, f"check {origin}") from None


def _tls_file(name: str, query: Mapping[str, str]) -> tuple[str | None, str]:
    """The file of a parameter, None for none, and what names it: the URL, or the user's folder."""
    if name in query:
        return query[name], f"{name} in database.url"
    file = Path("~/.postgresql", _TLS_FILES[name]).expanduser()
    return (str(file), "the folder ~/.postgresql") if file.exists() else (None, "")


def _describe_hosts(dsn: str) -> str:
    """Where the server is, for messages."""
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return unquote(parts.netloc.rpartition("@")[2]) or ",".join(query.get("host", [])) or "the local socket"

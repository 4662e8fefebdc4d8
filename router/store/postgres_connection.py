"""Opens and configures connections to PostgreSQL, and determines when a connection must not be used any more.

A firewall can drop the state of a connection silently; a statement would then wait for its whole timeout. Keep-alive,
probes and replacing old connections make that unlikely.
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

from router.errors import ConfigurationFault, Unavailable
from router.store.postgres_errors import from_connect_error

# A connection that was idle for longer is probed before use. A probe is one round trip. The dispatcher polls twice a
# second, so a limit of 0.5 s or more would exempt its connection from probes.
PROBE_AFTER_SECONDS = 0.05
# Long enough for Linux to resend a lost packet (after about 0.2, 0.6 and 1.4 s). If a probe fails although the
# connection works, new connections are opened.
PROBE_TIMEOUT_SECONDS = 2.0
# By default, load balancers of Azure and AWS drop connections that were idle for 240 and 350 s.
MAX_IDLE_SECONDS = 180.0
# An old connection is replaced, so that a changed address, role or certificate takes effect.
MAX_AGE_SECONDS = 1800.0
# The client's limit for a statement is this much longer than the server's limit.
CLIENT_GRACE_SECONDS = 2.0

# Idle time and interval in seconds, and the number of unanswered keep-alives.
KEEPALIVE_IDLE, KEEPALIVE_INTERVAL, KEEPALIVE_COUNT = 60, 10, 3

# MATERIALIZED CTEs came with version 12.
MIN_SERVER_VERSION = 12

APPLICATION_NAME = "emailrouter"

# The program relies on these settings, whatever the defaults are. Settings that the administrator chooses (search_path,
# synchronous_commit) are not set here.
_SESSION_SETTINGS = {
    # A transaction that waited for a row lock must see what was committed meanwhile.
    "default_transaction_isolation": "'read committed'",
    # statement_timeout also limits waiting for locks.
    "lock_timeout": "0",
    "standard_conforming_strings": "on",
}


# How long a group waits for one lock, because all its items wait. Longer than the default deadlock_timeout of 1 s, so
# that a deadlock is reported as such.
GROUP_LOCK_SECONDS = 2.0
# Filters match few rows or most of them. A plan for any value, which the server makes after five executions, could read
# a whole table for a value that it estimates wrongly (bench/README.md).
_PLAN_EACH_TIME = {"plan_cache_mode": "force_custom_plan"}
# Statements with arrays would be planned at each execution, which takes longer than executing them. They find rows by
# key; without `enable_seqscan = off`, a plan that was made for a small table would scan the table when it has grown.
_GROUP_SETTINGS = {
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "lock_timeout": str(int(GROUP_LOCK_SECONDS * 1000)),
}

# The file names in ~/.postgresql that the driver uses by default.
_TLS_FILES = {
    "sslrootcert": "root.crt",
    "sslcrl": "root.crl",
    "sslkey": "postgresql.key",
    "sslcert": "postgresql.crt",
}
# A TLS file cannot cause these errors, because the driver reads the TLS files before it connects.
_NETWORK_ERRORS = (ConnectionError, TimeoutError, socket.gaierror)


class PostgresConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg has no types
    """A connection with the times of its creation and its last use, in seconds of the event loop's clock.

    `is_busy` means that the connection was taken out of the pool and must not be closed as idle.
    """

    __slots__ = ("created_at", "is_busy", "used_at")

    def __init__(self, protocol: Any, transport: Any, loop: asyncio.AbstractEventLoop, *args: Any) -> None:
        super().__init__(protocol, transport, loop, *args)
        self.created_at = self.used_at = loop.time()
        self.is_busy = False

    def unwrap(self) -> PostgresConnection:
        """Returns the connection itself when called on the pool's proxy."""
        return self

    def enable_keepalive(self, connect_timeout: float) -> None:
        """Makes the kernel close a connection whose peer does not respond. Does nothing for a Unix socket.

        The limit for unacknowledged data is `connect_timeout` seconds.
        """
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
            if hasattr(socket, option):  # missing on some platforms
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def is_expired(self, now: float) -> bool:
        return self.is_closed() or now - self.created_at > MAX_AGE_SECONDS or now - self.used_at > MAX_IDLE_SECONDS

    async def check_alive(self, now: float, within: float) -> bool:
        """Whether the server has just responded, or responds to a probe within `within` seconds.

        The limit for a probe is never more than `PROBE_TIMEOUT_SECONDS`.
        """
        if now - self.used_at <= PROBE_AFTER_SECONDS:
            return True
        try:
            await self.execute("SELECT 1", timeout=min(PROBE_TIMEOUT_SECONDS, within))
        except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError):
            return False
        self.used_at = self._loop.time()
        return True


async def connect(
    dsn: str,
    *,
    timeout: float,
    statement_timeout: float,
    without_server_timeout: bool = False,
    for_groups: bool = False,
) -> PostgresConnection:
    """Opens a connection and applies the settings that the program relies on.

    Args:
        timeout: Seconds for opening and configuring the connection.
        statement_timeout: Seconds for one statement, enforced by the server and the client.
        without_server_timeout: Disables the limit of the server, for copies and migrations of large tables.
        for_groups: Plans each statement once, and limits waiting for a lock to `GROUP_LOCK_SECONDS`.

    Raises:
        Unavailable: The connection failed. It is a `ConfigurationFault` if an administrator must act.
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
            own = _GROUP_SETTINGS if for_groups else _PLAN_EACH_TIME
            server_timeout = 0 if without_server_timeout else statement_timeout
            await connection.execute(_set_statements(connection, server_timeout, own))
    except BaseException as error:
        if connection is not None:
            connection.terminate()
        if isinstance(error, Unavailable) or not isinstance(error, Exception):
            raise
        if isinstance(error, OSError | ValueError) and not isinstance(error, _NETWORK_ERRORS):
            _check_tls_files({name: values[-1] for name, values in query.items()})
        raise from_connect_error(error, _describe_hosts(dsn)) from error
    return connection


def _set_statements(connection: PostgresConnection, statement_timeout: float, own: Mapping[str, str]) -> str:
    """Returns the SET statements for a connection. Its `own` settings replace others of the same name."""
    milliseconds = str(int(statement_timeout * 1000))
    pinned = {
        **_SESSION_SETTINGS,
        "statement_timeout": milliseconds,
        # A suspended client must not hold locks forever.
        "idle_in_transaction_session_timeout": milliseconds,
    }
    if connection.get_server_version().major >= 17:
        pinned["transaction_timeout"] = "0"  # a long transaction must not be interrupted
    return "; ".join(f"SET {name} = {value}" for name, value in {**pinned, **own}.items())


def _check_server(connection: PostgresConnection) -> None:
    version = connection.get_server_version()
    if version.major < MIN_SERVER_VERSION:
        raise ConfigurationFault(
            f"the server is PostgreSQL {version.major}.{version.minor}",
            f"version {MIN_SERVER_VERSION} or later is required",
        )
    encoding = getattr(connection.get_settings(), "server_encoding", "UTF8")  # a pooler may not report the encoding
    if encoding != "UTF8":
        raise ConfigurationFault(
            f"the database encoding is {encoding}, which cannot store every message",
            "create the database with encoding UTF8 (createdb --encoding UTF8 --template template0 --owner ROLE NAME)",
        )


def _check_tls_files(query: Mapping[str, str]) -> None:
    """Raises `ConfigurationFault` if a TLS file is unreadable or invalid."""
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
            raise ConfigurationFault(problem, f"check {origin}") from None
        except OSError as error:
            problem = f"the file {file} cannot be read ({error.strerror})"
            raise ConfigurationFault(problem, f"check {origin}") from None


def _tls_file(name: str, query: Mapping[str, str]) -> tuple[str | None, str]:
    """Returns the path of a TLS file (None if there is none), and where the path is configured."""
    if name in query:
        return query[name], f"{name} in database.url"
    file = Path("~/.postgresql", _TLS_FILES[name]).expanduser()
    return (str(file), "the folder ~/.postgresql") if file.exists() else (None, "")


def _describe_hosts(dsn: str) -> str:
    parts = urlsplit(dsn)
    query = parse_qs(parts.query)
    return unquote(parts.netloc.rpartition("@")[2]) or ",".join(query.get("host", [])) or "the local socket"

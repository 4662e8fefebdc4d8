"""Translates errors of PostgreSQL and asyncpg.

A translated error is a `ConfigurationFault` if an administrator must act, otherwise a temporary failure. The text
contains no password. It also omits PostgreSQL's error detail, which may quote data.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from router.errors import ConfigurationFault, SerializationConflict, StatementCancelled, StorageFull, Unavailable

# asyncpg raises these for a connection that is lost or does not respond.
CONNECTION_ERRORS = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
# SQLSTATE classes and codes of server faults: 08 connection, 25006 read-only, 40003 outcome unknown, 53 resources,
# 57 operator intervention, 58 system error.
_SERVER_STATES = ("08", "25006", "40003", "53", "57", "58")
_CANCELLED_STATES = ("55P03", "57014")  # lock not available (lock_timeout), query cancelled (statement_timeout)
_CONFLICT_CLASS = "40"  # transaction rollback: serialisation failure, deadlock
_DISK_FULL = "53100"
# What the administrator must do, by SQLSTATE or SQLSTATE class.
_FIXES = {
    "26000": "set the connection pooler to session mode, or connect to the server directly",
    "28P01": "check the user and the password in database.url",
    "28": "check the user in database.url, that this role exists and has LOGIN, and the server's pg_hba.conf",
    "3D000": "create the database (createdb --owner ROLE NAME), or correct its name in database.url",
    "3F000": "create the schema that the role's search_path names, or correct it (ALTER ROLE ... SET search_path)",
    "42501": "grant the role of database.url CONNECT on the database, USAGE and CREATE on the schema, "
    "and ownership of the tables (run `emailrouter migrate` as this role)",
    "42P05": "set the connection pooler to session mode, or connect to the server directly",
}
_CHECK_URL = "check database.url and the settings of the role and the database"
# X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED: both faults may end without a change
# of the configuration.
_TRANSIENT_VERIFY_CODES = (9, 10)


class StatementTimeout(Unavailable):
    """The client's time limit was exceeded.

    The connection counts as dead: a working server cancels the statement earlier, unless its limit is disabled.
    """


@contextmanager
def translate_errors() -> Iterator[None]:
    """Translates faults of the server and the connection, and every `InterfaceError`. Other errors pass unchanged."""
    try:
        yield
    except asyncpg.PostgresError as error:
        translated = from_server_error(error)
        if translated is None:
            raise
        raise translated from error
    except TimeoutError as error:
        raise StatementTimeout("PostgreSQL: timed out waiting for a response") from error
    except CONNECTION_ERRORS as error:
        raise Unavailable(f"PostgreSQL: {type(error).__name__}: {first_line(error)}") from error


def from_server_error(error: asyncpg.PostgresError) -> Unavailable | None:
    """Returns None if the error is not translated."""
    state = error.sqlstate or ""
    text = f"PostgreSQL {state}: {first_line(error)}"
    if state == _DISK_FULL:
        return StorageFull(text)
    if state in _CANCELLED_STATES:
        return StatementCancelled(text)
    if state.startswith(_SERVER_STATES):
        return Unavailable(text)
    if state.startswith(_CONFLICT_CLASS):
        return SerializationConflict(text)
    fix = _FIXES.get(state) or _FIXES.get(state[:2])
    return ConfigurationFault(text, fix) if fix else None


def from_connect_error(error: Exception, hosts: str) -> Unavailable:
    if isinstance(error, asyncpg.PostgresError):
        if "unsupported startup parameter" in first_line(error):  # the wording of PgBouncer
            return ConfigurationFault(
                f"PostgreSQL at {hosts}: {first_line(error)}", "remove this parameter from database.url"
            )
        translated = from_server_error(error)
        return translated or ConfigurationFault(f"PostgreSQL {error.sqlstate}: {first_line(error)}", _CHECK_URL)
    text = f"PostgreSQL at {hosts}: {_reason(error)}"
    if isinstance(error, asyncpg.ClientConfigurationError):
        return ConfigurationFault(text, "check the parameters of database.url")
    from_asyncpg = isinstance(error, asyncpg.InterfaceError | asyncpg.InternalClientError)
    if from_asyncpg and "authentication" in first_line(error):  # asyncpg does not support the authentication method
        return ConfigurationFault(
            text, "set the authentication method of the role to scram-sha-256 in the server's pg_hba.conf"
        )
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code not in _TRANSIENT_VERIFY_CODES:
        return ConfigurationFault(text, "check the host name, sslmode and sslrootcert in database.url")
    if isinstance(error, ConnectionError) and "rejected SSL" in first_line(error):
        return ConfigurationFault(text, "set ssl = on in the server configuration, or sslmode=prefer in database.url")
    if isinstance(error, PermissionError):
        return ConfigurationFault(
            text, "give the program's user read access to the file, or access to the socket directory"
        )
    if isinstance(error, CONNECTION_ERRORS):
        return Unavailable(text)
    # An error while asyncpg parses the URL. Its text may quote a part of the URL.
    return ConfigurationFault(
        f"database.url cannot be used ({type(error).__name__})", "check the user, host and parameters in it"
    )


def first_line(error: BaseException) -> str:
    return " ".join(str(error.args[0] if error.args else error).split("\n")[0].split())


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError) and not error.args:
        return "timed out"
    if isinstance(error, socket.gaierror):
        return f"the host name does not resolve ({error.strerror})"
    if isinstance(error, OSError) and error.strerror:
        return " ".join(error.strerror.split()) + (f": {error.filename}" if error.filename else "")
    return f"{type(error).__name__}: {first_line(error)}"

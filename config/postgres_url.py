"""The parameters of a PostgreSQL URL: forwarded to the driver, ignored or rejected.

asyncpg sends unknown parameters to the server, which rejects the connection if it does not know them either.
Errors never quote the value of a parameter, because it may be part of a password.
"""

import difflib
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import SplitResult, parse_qsl, quote, urlencode

_TLS_VERSIONS = ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
_UTF8 = ("utf8", "utf-8", "UTF8", "UTF-8", "unicode", "auto")

# Parameters for asyncpg with their allowed values; () means no fixed list.
_FORWARDED: dict[str, tuple[str, ...]] = {
    "host": (),
    "port": (),
    "user": (),
    "password": (),
    "passfile": (),
    "dbname": (),
    "database": (),
    "service": (),
    "sslmode": ("disable", "allow", "prefer", "require", "verify-ca", "verify-full"),
    "sslnegotiation": ("postgres", "direct"),
    "sslcert": (),
    "sslkey": (),
    "sslpassword": (),
    "sslrootcert": (),
    "sslcrl": (),
    "ssl_min_protocol_version": _TLS_VERSIONS,
    "ssl_max_protocol_version": _TLS_VERSIONS,
    "target_session_attrs": ("any", "primary", "standby", "prefer-standby", "read-write", "read-only"),
    "krbsrvname": (),
    "application_name": (),
    "options": (),
    "search_path": (),
}
# Parameters that are not forwarded. The listed values permit what the program does; others are rejected. () allows any
# value.
_IGNORED: dict[str, tuple[str, ...]] = {
    "connect_timeout": (),  # returned as `PostgresUrl.connect_timeout`
    "keepalives": (),
    "keepalives_idle": (),
    "keepalives_interval": (),
    "keepalives_count": (),
    "tcp_user_timeout": (),
    "fallback_application_name": (),
    "channel_binding": ("disable", "prefer"),
    "client_encoding": _UTF8,
    "gssencmode": ("disable", "prefer"),
    "load_balance_hosts": ("disable",),
    "sslcompression": ("0",),
    "sslsni": ("1",),
}
_UNSUPPORTED = {
    "hostaddr": "is not supported; use the address as the host",
    "pgbouncer": "is not supported; remove it, and connect to PostgreSQL directly or to a pooler in session mode",
    "require_auth": "is not supported; remove it, and set the authentication method in pg_hba.conf of the server",
    "schema": "is not supported; use search_path",
}
_PORT = re.compile(r"[0-9]{1,5}")
_HOST = re.compile(r"/[^\0]*|(?!\.)[A-Za-z0-9._:%-]+")
_MIN_SIMILARITY = 0.7  # ratio of difflib, from 0 to 1


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A validated URL.

    Attributes:
        dsn: The URL for asyncpg.
        connect_timeout: None if the parameter is absent or not positive.
    """

    dsn: str
    connect_timeout: timedelta | None


def parse(parts: SplitResult) -> PostgresUrl:
    """Validates the parameters of a URL whose other parts are valid.

    Raises ValueError; the message says what is allowed.
    """
    try:
        parameters = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
    except ValueError:  # the original error quotes the parameter, which may be part of a password
        raise ValueError("parameters after ? must have the form name=value, joined by &") from None
    parameters = [(name, value) for name, value in parameters if value]
    for name, value in parameters:
        _check_parameter(name, value, quotable="@" not in parts.query)
    by_name = dict(parameters)
    if by_name.get("sslnegotiation") == "direct" and by_name.get("sslmode") not in (
        "require",
        "verify-ca",
        "verify-full",
    ):
        raise ValueError("sslnegotiation=direct requires sslmode=require, verify-ca or verify-full")
    if by_name.get("sslrootcert") == "system":
        raise ValueError(
            "sslrootcert=system is not supported; specify a file, such as /etc/ssl/certs/ca-certificates.crt"
        )
    forwarded = urlencode(
        [(name, value) for name, value in parameters if name in _FORWARDED], safe="/", quote_via=quote
    )
    # asyncpg ends the login at the first @, so each @ inside the login is escaped.
    login, at, hosts = parts.netloc.rpartition("@")
    netloc = login.replace("@", "%40") + at + hosts
    dsn = f"{parts.scheme}://{netloc}{parts.path}" + (f"?{forwarded}" if forwarded else "")
    return PostgresUrl(dsn, _parse_connect_timeout(by_name.get("connect_timeout")))


def _check_parameter(name: str, value: str, *, quotable: bool) -> None:
    known = {**_FORWARDED, **_IGNORED}
    if name in _UNSUPPORTED:
        raise ValueError(f"{name} {_UNSUPPORTED[name]}")
    if name not in known:
        if not quotable or not re.fullmatch(r"[A-Za-z][A-Za-z0-9_.]{0,62}", name):
            raise ValueError("has an unknown parameter; in a password, write / as %2F, ? as %3F, @ as %40")
        matches = difflib.get_close_matches(name, known, 1, _MIN_SIMILARITY)
        suggestion = f"did you mean {matches[0]}?" if matches else "set server settings with options=-c%20name%3Dvalue."
        raise ValueError(f"{name} is not a connection parameter; {suggestion} Allowed: {', '.join(known)}")
    allowed = known[name]
    if allowed and value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}")
    if name == "port" and not all(_PORT.fullmatch(port) and 0 < int(port) <= 65535 for port in value.split(",")):
        raise ValueError("port must be a number from 1 to 65535, or several joined by commas")
    if name == "host" and not all(_HOST.fullmatch(host.strip("[]")) for host in value.split(",")):
        raise ValueError(
            "host must be a name, an address or the directory of a Unix socket, or several joined by commas"
        )


def _parse_connect_timeout(value: str | None) -> timedelta | None:
    """Parses whole seconds. Returns None for 0 or less: the configured timeout then applies.

    In libpq, 0 or less would mean no timeout.
    """
    if value is None:
        return None
    if not re.fullmatch(r"-?[0-9]{1,6}", value):
        raise ValueError("connect_timeout must be a whole number of seconds")
    return timedelta(seconds=int(value)) if int(value) > 0 else None

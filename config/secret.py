"""Values that must not be printed: `Secret`, and `DatabaseUrl`, which may contain a password.

`str`, `repr`, formatting and the JSON of pydantic show `***` instead of the secret. Only `reveal()` and
`reveal_dsn()` return it, so a search for these names finds every use. ValueErrors never quote the secret.
"""

import hmac
import re
from datetime import timedelta
from pathlib import Path
from typing import Literal, Self
from urllib.parse import unquote, urlsplit

from config import postgres_url
from config.postgres_url import PostgresUrl

MASK = "***"

# In characters. Shorter values are easier to guess.
MIN_SECRET_LENGTH = 16

_ALLOWED_URL = "must be sqlite:///file.db, sqlite:////directory/file.db or postgresql://user:password@host/database"
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")
_PG_HOST = re.compile(r"(\[[0-9A-Fa-f:.%]+\]|(?:[A-Za-z0-9_%-]+(?:\.[A-Za-z0-9_%-]+)*\.?)?)(:[0-9]{1,5})?")


class Secret:
    """A string that prints as `***`. Not a dataclass, because `asdict` would expose the value."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    @classmethod
    def parse(cls, value: object) -> Self:
        """Raises ValueError unless the secret is long enough and has no whitespace."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or len(value) < MIN_SECRET_LENGTH or re.search(r"\s", value):
            raise ValueError(f"must be a string of at least {MIN_SECRET_LENGTH} characters without whitespace")
        return cls(value)

    @classmethod
    def parse_password(cls, value: object) -> Self:
        """Accepts a password of another program, of any length. Raises ValueError."""
        if isinstance(value, cls):
            return value
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise ValueError("must be a string of printable ASCII characters")
        return cls(value)

    def reveal(self) -> str:
        return self.__value

    def __repr__(self) -> str:
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        # In text from the environment, bytes that are not UTF-8 are lone surrogates (PEP 383).
        own, others = (each.encode(errors="surrogatepass") for each in (self.__value, other.__value))
        return hmac.compare_digest(own, others)

    def __hash__(self) -> int:
        return hash((Secret, self.__value))


class DatabaseUrl:
    """The location of the database. Prints as the URL with a masked password.

    Attributes:
        path: The SQLite file, relative to the working directory unless absolute; None for PostgreSQL.
        connect_timeout: The parameter of the URL; None if absent or not positive.
    """

    __slots__ = ("__dsn", "__url", "connect_timeout", "dialect", "path")

    dialect: Literal["sqlite", "postgresql"]
    path: Path | None
    connect_timeout: timedelta | None

    def __init__(self, url: str) -> None:
        """Raises ValueError; the message says what is allowed, and quotes at most the name of a parameter."""
        scheme = _find_scheme(url)
        self.__dsn, self.connect_timeout = url, None
        if scheme == "sqlite":
            self.dialect, self.path = "sqlite", _parse_sqlite_path(url)
        elif scheme in ("postgresql", "postgres"):
            checked = _parse_postgresql(url)
            self.dialect, self.path = "postgresql", None
            self.__dsn, self.connect_timeout = checked.dsn, checked.connect_timeout
        else:
            raise ValueError(_ALLOWED_URL)
        self.__url = url

    @classmethod
    def parse(cls, value: object) -> Self:
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls(value)
        raise ValueError(_ALLOWED_URL)

    def reveal(self) -> str:
        return self.__url

    @property
    def has_password(self) -> bool:
        return self.dialect == "postgresql" and MASK in str(self)

    def reveal_dsn(self) -> str:
        """Returns the URL for the driver, without the parameters that the driver must not receive."""
        return self.__dsn

    def __str__(self) -> str:
        if self.dialect == "sqlite":
            return self.__url
        parts = urlsplit(self.__url)
        login, at, hosts = parts.netloc.rpartition("@")
        user, colon, _ = login.partition(":")
        query = "&".join(_mask_option(option) for option in parts.query.split("&"))
        shown = f"{parts.scheme}://{user}{colon and ':' + MASK}{at}{hosts}{parts.path}"
        return f"{shown}?{query}" if query else shown

    def __repr__(self) -> str:
        return f"DatabaseUrl('{self}')"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DatabaseUrl) and self.__url == other.__url

    def __hash__(self) -> int:
        return hash((DatabaseUrl, self.__url))


def redact(value: object) -> str:
    """Returns what an error may show of an invalid secret.

    An SQLite URL without `@` and `?` is shown. Of other URLs only the scheme is shown, because the password could be
    anywhere. Other values become `***`.
    """
    if not isinstance(value, str):
        return MASK
    scheme = _find_scheme(value)
    if scheme is None:
        return MASK
    return value if scheme == "sqlite" and not {"@", "?"} & set(value) else f"{scheme}://{MASK}"


def _find_scheme(url: str) -> str | None:
    match = _SCHEME.match(url)
    return match.group().lower() if match else None


def _parse_sqlite_path(url: str) -> Path:
    if not url.startswith("sqlite:///"):
        raise ValueError(
            "must have three slashes for a relative path (sqlite:///file.db) and four for an absolute path"
        )
    name = url.removeprefix("sqlite:///")
    if not name or name.endswith("/") or "\0" in name:
        raise ValueError("must name a file: sqlite:///file.db or sqlite:////directory/file.db")
    if name == ":memory:" or "?" in name:
        # Each connection to `:memory:` would have its own database.
        raise ValueError("must name a file, without options; in-memory databases are not supported")
    return Path(name)


def _parse_postgresql(url: str) -> PostgresUrl:
    if re.search(r"[\s\0]", url):
        raise ValueError(f"{_ALLOWED_URL}, without whitespace")
    if "#" in url:
        raise ValueError(f"{_ALLOWED_URL}; write # as %23")
    if "\0" in unquote(url):  # NUL ends a string in PostgreSQL's protocol
        raise ValueError(f"{_ALLOWED_URL}, without %00")
    try:
        parts = urlsplit(url)
    except ValueError:  # the original error may quote the password
        raise ValueError(f"{_ALLOWED_URL}; the host is invalid") from None
    if "@" in parts.path or parts.path.count("/") > 1:
        raise ValueError(f"{_ALLOWED_URL}; in a password, write / as %2F, ? as %3F, @ as %40")
    for host in parts.netloc.rpartition("@")[2].split(","):
        match = _PG_HOST.fullmatch(host)
        if match is None or (match[2] and not 0 < int(match[2][1:]) <= 65535):
            raise ValueError(f"{_ALLOWED_URL}; the host or port is invalid")
    options = {unquote(option.partition("=")[0]) for option in parts.query.split("&")}
    if not parts.path.strip("/") and not options & {"dbname", "database"}:
        raise ValueError(f"{_ALLOWED_URL}; the database name is missing")
    return postgres_url.parse(parts)


def _mask_option(option: str) -> str:
    name, equals, _ = option.partition("=")
    return f"{name}{equals}{MASK}" if "pass" in unquote(name).lower() else option

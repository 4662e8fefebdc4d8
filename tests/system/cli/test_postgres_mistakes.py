"""A mistake in the PostgreSQL configuration is reported in one line, and by the exit code."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation import program_settings
from tests.support.installation.command_line import ADMIN, CommandLine
from tests.support.postgres import PostgresServer

ROLE = "mistaken"  # a role without privileges; all databases of the server share it
NO_LOGIN = "mistaken_nologin"
FOLDER = "/nonexistent"

# (parameters of the database URL, part of the expected error)
PARAMETERS = [
    ("channel_binding=require", "channel_binding must be one of disable, prefer"),
    ("sslmode=maybe", "sslmode must be one of disable, allow"),
    ("sslmodus=require", "did you mean sslmode?"),
    ("work_mem=64MB", "options=-c"),
    ("pgbouncer=true", "session mode"),
    ("connect_timeout=soon", "connect_timeout must be a whole number of seconds"),
    ("flag", "name=value"),
    ("sslmode=require", "set ssl = on"),
    (f"sslmode=verify-full&sslrootcert={FOLDER}/ca.pem", f"{FOLDER}/ca.pem cannot be read"),
    (f"sslmode=require&sslcert={FOLDER}/c.pem&sslkey={FOLDER}/k.pem", "check sslkey"),
    ("sslmode=verify-ca&sslrootcert=/etc/hostname", "not valid PEM"),
    ("search_path=missing", "schema"),
    ("options=-csearch_path%3Dmissing", "schema"),
    ("options=-cno_such_setting%3D1", "no_such_setting"),
]


def alter_url(url: str, *, user: str = "", database: str = "", query: str = "") -> str:
    """Replaces the given parts of a URL, and sets a password that must not be printed."""
    parts = urlsplit(url)
    netloc = f"{user or parts.username}:not-shown@{parts.hostname}:{parts.port}"
    return urlunsplit(parts._replace(netloc=netloc, path=f"/{database or parts.path[1:]}", query=query))


async def assert_fails(folder: Path, url: str, *names: str, code: int = 2, command: str = "migrate") -> None:
    """Asserts that the command fails with one line that contains all `names` but not the password."""
    cli = CommandLine(folder, {**program_settings(url, folder), "database.connect_timeout": "5s"})
    line = await cli.error_line(command, code=code)
    assert all(name in line for name in names), line
    assert "not-shown" not in line


@pytest.fixture
async def administrator(postgres_server: PostgresServer, postgres_url: str) -> AsyncIterator[asyncpg.Connection]:
    """Creates the roles `ROLE` and `NO_LOGIN`. Yields a connection to the database of the test."""
    connection = await asyncpg.connect(postgres_url)
    for role, login in ((ROLE, "LOGIN"), (NO_LOGIN, "NOLOGIN")):
        try:
            await connection.execute(f"CREATE ROLE {role} {login}")
        except (asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            continue  # another test has created the role
    yield connection
    await connection.close()


@pytest.mark.parametrize(("query", "named"), PARAMETERS)
async def test_unknown_url_parameter(postgres_url: str, tmp_path: Path, query: str, named: str) -> None:
    await assert_fails(tmp_path, alter_url(postgres_url, query=query), named)


@pytest.mark.parametrize(
    "query",
    [
        "connect_timeout=5&keepalives=1&keepalives_idle=30&tcp_user_timeout=9000",
        "channel_binding=prefer&gssencmode=disable&client_encoding=utf8&sslmode=prefer",
        "application_name=mail&fallback_application_name=x&target_session_attrs=read-write",
        "options=-csearch_path%3Dpublic",
    ],
)
async def test_supported_url_parameters(postgres_url: str, tmp_path: Path, query: str) -> None:
    cli = CommandLine(tmp_path, program_settings(alter_url(postgres_url, query=query), tmp_path))
    (await cli("migrate")).ok()
    (await cli("init", "--email", ADMIN)).ok()


async def test_unknown_role_database_and_host(
    postgres_url: str,
    administrator: asyncpg.Connection,
    tmp_path: Path,
) -> None:
    for command in ("migrate", "smtp"):
        await assert_fails(
            tmp_path, alter_url(postgres_url, database="no_such"), "no_such", "createdb", command=command
        )
        await assert_fails(tmp_path, alter_url(postgres_url, user="no_such"), "no_such", "role", command=command)
        await assert_fails(tmp_path, alter_url(postgres_url, user=NO_LOGIN), NO_LOGIN, "log in", command=command)


async def test_no_server(tmp_path: Path) -> None:
    """The exit code is 1 if the error may be temporary."""
    await assert_fails(tmp_path, "postgresql://u:not-shown@127.0.0.1:1/mail", "127.0.0.1:1", "refused", code=1)
    await assert_fails(tmp_path, "postgresql://u:not-shown@no-such-host.invalid/mail", "does not resolve", code=1)
    await assert_fails(tmp_path, "postgresql://u:not-shown@/mail?host=/nonexistent", "/nonexistent", code=1)
    await assert_fails(tmp_path, f"postgresql://u:not-shown@{'a' * 70}.test/mail", "host")


async def test_no_schema(postgres_url: str, administrator: asyncpg.Connection, tmp_path: Path) -> None:
    await administrator.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
    await assert_fails(tmp_path, alter_url(postgres_url, user=ROLE), "schema", "GRANT")
    await administrator.execute(f"GRANT USAGE ON SCHEMA public TO {ROLE}")
    await assert_fails(
        tmp_path, alter_url(postgres_url, user=ROLE), "permission denied for schema public", "CREATE on the schema"
    )
    await administrator.execute("DROP SCHEMA public")
    await assert_fails(tmp_path, postgres_url, "schema")


async def test_tables_owned_by_another_role(
    postgres_url: str, administrator: asyncpg.Connection, tmp_path: Path
) -> None:
    (await CommandLine(tmp_path, program_settings(postgres_url, tmp_path))("migrate")).ok()
    for command in ("smtp", "api", "deliver", "init"):
        await assert_fails(
            tmp_path, alter_url(postgres_url, user=ROLE), "permission denied", "ownership", command=command
        )
    await administrator.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA public TO {ROLE}")
    await assert_fails(tmp_path, alter_url(postgres_url, user=ROLE), "permission denied", "ownership", command="smtp")


@pytest.mark.parametrize("encoding", ["WIN1252", "LATIN1", "SQL_ASCII", "EUC_JP"])
async def test_database_with_other_encoding(
    postgres_server: PostgresServer,
    administrator: asyncpg.Connection,
    dns_server: DnsStandIn,
    tmp_path: Path,
    encoding: str,
) -> None:
    name = f"encoded_{tmp_path.name}_{encoding}".lower().replace("-", "_")[-60:]
    await administrator.execute(
        f"CREATE DATABASE \"{name}\" ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    url = alter_url(postgres_server.url, database=name)
    try:
        for command in ("migrate", "smtp", "serve"):
            await assert_fails(tmp_path, url, encoding, "createdb --encoding UTF8", command=command)
        cli = CommandLine(tmp_path, {**program_settings(url, tmp_path), "dns.nameservers": [dns_server.address]})
        checked = await cli("check")
        assert checked.code == 1
        (line,) = [line for line in checked.stdout.splitlines() if line.startswith("fail  database")]
        assert encoding in line
        assert "createdb --encoding UTF8" in checked.stdout
    finally:
        await administrator.execute(f'DROP DATABASE "{name}"')


async def test_server_without_free_connections_is_retried(
    postgres_url: str, administrator: asyncpg.Connection, tmp_path: Path
) -> None:
    await administrator.execute(f'ALTER DATABASE "{urlsplit(postgres_url).path[1:]}" CONNECTION LIMIT 0')
    await assert_fails(tmp_path, alter_url(postgres_url, user=ROLE), "too many connections", code=1)


async def test_asynchronous_commits_are_reported(
    postgres_url: str, administrator: asyncpg.Connection, dns_server: DnsStandIn, tmp_path: Path
) -> None:
    """`check` only warns, because asynchronous commits are allowed."""
    cli = CommandLine(tmp_path, {**program_settings(postgres_url, tmp_path), "dns.nameservers": [dns_server.address]})
    (await cli("migrate")).ok()
    name = urlsplit(postgres_url).path[1:]
    for value, warned in (("off", True), ("on", False)):
        await administrator.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = {value}')
        lines = (await cli("check")).stdout.splitlines()
        warnings = [line for line in lines if line.startswith("warn  database") and "synchronous_commit" in line]
        assert bool(warnings) == warned, lines

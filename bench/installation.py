"""A database with everything a mail needs, for one bench: a workspace, a verified domain, aliases, webhooks.

`installed("sqlite" | "postgres", folder, ...)` yields it with nothing running. PostgreSQL is a server of the bench's
own, on the disk, with fsync on; its processes' CPU time can be read apart (`database_cpu`). The settings of
`Installation.env` are the product's defaults but for what a bench on one machine runs into: the limits by address and
the pace of webhooks.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import trustme

from bench.mtas import DOMAIN
from bench.processes import cpu_seconds
from router.secrets import SecretBox, new_key
from router.store import migrate
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.postgres import PostgresServer, private_postgres
from tests.support.process import environment
from tests.support.stores import postgres_database, sqlite_database

Kind = Literal["sqlite", "postgres"]
KINDS: tuple[Kind, ...] = ("sqlite", "postgres")
# Whatever the tests' server turns down that a real one has by default.
_REAL = {"shared_buffers": "128MB", "wal_level": "replica"}


@dataclass
class Installation:
    """addresses: the aliases. env: settings for `emailrouter` (see `tests.support.process.environment`)."""

    kind: Kind
    url: str
    addresses: list[str]
    env: dict[str, object]
    database_cpu: Callable[[], float] | None = None
    workspace_id: str = field(default="")

    def database(self) -> SqliteDatabase | PostgresDatabase:
        """A second way into the database, not opened yet."""
        if self.kind == "sqlite":
            return sqlite_database(Path(self.url.removeprefix("sqlite:///")))
        return postgres_database(self.url)


@asynccontextmanager
async def installed(
    kind: Kind,
    folder: Path,
    *,
    aliases: int = 1,
    webhooks: int = 1,
    webhook: Callable[[str], str] | None = None,
    migrate_with: tuple[Sequence[str], dict[str, object]] | None = None,
) -> AsyncIterator[Installation]:
    """kind: of the database. webhook: the URL of the channel with a name; without it none is ever posted to.
    migrate_with: the command and settings of another checkout's program, which makes the schema instead of this one's.

    The aliases `support`, `alias1`, ... take turns with the webhooks `team0`, `team1`, ...
    """
    key = new_key()
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a bench waits for its own preparations
    async with AsyncExitStack() as stack:
        database: SqliteDatabase | PostgresDatabase
        cpu: Callable[[], float] | None = None
        if kind == "sqlite":
            url = f"sqlite:///{folder / 'emailrouter.db'}"
            database = sqlite_database(folder / "emailrouter.db")
        else:
            parent = Path(tempfile.gettempdir())  # a folder that the server's own user may enter
            server = await stack.enter_async_context(private_postgres(fsync=True, settings=_REAL, parent=parent))
            url = await server.create_database()
            database, cpu = postgres_database(url), _cpu_of(server)
        if migrate_with is not None:
            command, settings = migrate_with
            env = environment(_settings(url, key, folder) | settings)
            subprocess.run(command, check=True, env=env, cwd=folder, stdout=subprocess.DEVNULL)  # noqa: ASYNC221 - a bench waits for its own preparations
        await database.open()
        try:
            if migrate_with is None:
                await migrate.migrate(database)
            made = Installation(kind, url, [], _settings(url, key, folder), cpu)
            await _seed(made, database, SecretBox(key), aliases=aliases, webhooks=webhooks, webhook=webhook)
        finally:
            await database.close()
        yield made


async def _seed(
    made: Installation,
    database: SqliteDatabase | PostgresDatabase,
    box: SecretBox,
    *,
    aliases: int,
    webhooks: int,
    webhook: Callable[[str], str] | None,
) -> None:
    made.workspace_id = workspace = await seeds.workspace(database)
    domain = await seeds.domain(database, workspace, DOMAIN)
    integrations = []
    for n in range(webhooks):
        url = webhook(f"team{n}") if webhook else "https://hooks.slack.test/services/T0/B0/none"
        sealed = box.seal(json.dumps({"webhookUrl": url}))
        integrations.append(await seeds.integration(database, workspace, sealed, f"team{n}"))
    for n in range(aliases):
        name = f"alias{n}" if n else "support"
        await seeds.alias(database, workspace, domain, name, integrations[n % webhooks])
        made.addresses.append(f"{name}@{DOMAIN}")


def _settings(url: str, key: str, folder: Path) -> dict[str, object]:
    return {
        "server.hostname": f"mx.{DOMAIN}",
        "server.data_dir": str(folder),
        "server.secret_key": key,
        "database.url": url,
        "smtp.listen": ["127.0.0.1:0"],
        "smtp.max_connections": 5000,
        "smtp.max_connections_per_ip": 5000,
        "smtp.max_mails_per_minute_per_ip": 100_000_000,  # counted, and never reached
        "api.listen": "127.0.0.1:0",
        "delivery.allow_private_networks": True,
        "delivery.per_second": 100_000.0,
        "delivery.burst": 1000,
        "delivery.digest_after": 1_000_000,
    }


def _cpu_of(server: PostgresServer) -> Callable[[], float]:
    root = server.root
    assert root is not None
    postmaster = int((root / "data" / "postmaster.pid").read_text().split()[0])
    return lambda: cpu_seconds(postmaster, descendants=True)


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A new certificate with a P-256 key, and the key, as files."""
    issued = trustme.CA(key_type=trustme.KeyType.ECDSA).issue_cert("localhost", key_type=trustme.KeyType.ECDSA)
    chain, key = folder / "cert.pem", folder / "key.pem"
    issued.cert_chain_pems[0].write_to_path(chain)
    issued.private_key_pem.write_to_path(key)
    return chain, key


def smtp_port(ready: dict[str, object]) -> int:
    """The port in the program's `ready` line."""
    addresses = ready["smtp"]
    assert isinstance(addresses, list)
    return int(str(addresses[0]).rpartition(":")[2])

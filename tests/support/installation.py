"""A seeded database and the settings to start the program over it: for tests of the program as a process.

`installed(database, folder, slack)` makes a workspace, the domain `example.org`, one integration that posts to
`slack`, and the alias `support`. What is in the database is asked by `rows`, beside the running program.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from router.secrets import SecretBox, new_key
from router.store import migrate
from router.store.postgres import PostgresDatabase
from router.store.sqlite import SqliteDatabase
from tests.support import seeds
from tests.support.slack import SlackStandIn
from tests.support.stores import postgres_database, sqlite_database

DOMAIN = "example.org"
HOST = "mx1.host.test"


@dataclass(frozen=True, slots=True)
class Installation:
    """`settings` are for `Program(env=...)`; their secret key is the one that sealed the integration."""

    database: SqliteDatabase | PostgresDatabase
    settings: dict[str, object]
    workspace_id: str
    secret_key: str

    async def rows(self, statement: str) -> list[dict[str, object]]:
        """What a statement of the test's own returns."""
        return await seeds.execute(self.database, statement)

    async def count(self, table: str, where: str = "1 = 1") -> int:
        """How many rows there are."""
        (row,) = await self.rows(f"SELECT COUNT(*) AS n FROM {table} WHERE {where}")
        assert isinstance(row["n"], int)
        return row["n"]


@asynccontextmanager
async def installed(folder: Path, slack: SlackStandIn, postgres_url: str | None = None) -> AsyncIterator[Installation]:
    """On a new SQLite file in `folder`, or over the empty database `postgres_url`."""
    database = postgres_database(postgres_url) if postgres_url else sqlite_database(folder / "emailrouter.db")
    url = postgres_url or f"sqlite:///{folder / 'emailrouter.db'}"
    key = new_key()
    await database.open()
    try:
        await migrate.migrate(database)
        workspace = await seeds.workspace(database)
        sealed = SecretBox(key).seal(json.dumps({"webhookUrl": slack.url()}))
        integration = await seeds.integration(database, workspace, sealed)
        domain = await seeds.domain(database, workspace, DOMAIN)
        await seeds.alias(database, workspace, domain, "support", integration)
        settings: dict[str, object] = {
            "server.hostname": HOST,
            "server.data_dir": str(folder),
            "server.secret_key": key,
            "database.url": url,
            "smtp.listen": ["127.0.0.1:0"],
            "api.listen": "127.0.0.1:0",
            "delivery.allow_private_networks": True,
            # Tests are about what arrives; a second between two messages would be most of their time.
            "delivery.per_second": 1000.0,
            "delivery.burst": 1000,
            "delivery.digest_after": 100000,
        }
        yield Installation(database, settings, workspace, key)
    finally:
        await database.close()


def port_of(address: str) -> tuple[str, int]:
    """`127.0.0.1:2525` as what one connects to."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)

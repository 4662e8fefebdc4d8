"""Installations that a test opens and closes as a block."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from router.store import catalog, migrate
from tests.support.installation.installation import Installation
from tests.support.installation.settings import DOMAIN, UNPACED
from tests.support.slack import SlackStandIn
from tests.support.stores import Store, postgres_database, sqlite_database


@asynccontextmanager
async def installation_over(
    store: Store, settings: Mapping[str, object] | None = None, **options: Any
) -> AsyncIterator[Installation]:
    """Seeded, over an open store. options: of `Installation`."""
    found = Installation(store, settings, **options)
    await found.seed()
    try:
        yield found
    finally:
        await found.close()


@asynccontextmanager
async def installed(folder: Path, slack: SlackStandIn, postgres_url: str | None = None) -> AsyncIterator[Installation]:
    """For a started program: on a new SQLite file in `folder`, or in the empty database `postgres_url`.

    One integration that posts to `slack`, and the alias `support` of `DOMAIN`.
    """
    if postgres_url is None:
        database = sqlite_database(folder / "emailrouter.db")
        store = Store("sqlite", f"sqlite:///{database.path}", catalog.load(), database)
    else:
        store = Store("postgres", postgres_url, catalog.load(), postgres_database(postgres_url))
    await store.database.open()
    try:
        await migrate.migrate(store.database)
        found = Installation(store, {**UNPACED, "server.data_dir": str(folder)})
        await found.seed(DOMAIN, ["support"], webhook=slack.url())
        yield found
        await found.close()
    finally:
        await store.database.close()

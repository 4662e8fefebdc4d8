"""Creates installations for tests: for an open store, or for a started program."""

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
async def seeded_installation(
    store: Store, settings: Mapping[str, object] | None = None, **options: Any
) -> AsyncIterator[Installation]:
    found = Installation(store, settings, **options)
    await found.seed()
    try:
        yield found
    finally:
        await found.close()


def program_installation(url: str, folder: Path, settings: Mapping[str, object] | None = None) -> Installation:
    """Returns an installation whose database is not open.

    folder: the data directory of the started programs.
    """
    store = closed_store(url)
    return Installation(store, {"server.data_dir": str(folder), **(settings or {})}, real_time=True)


def closed_store(url: str) -> Store:
    if url.startswith("sqlite:///"):
        return Store("sqlite", url, catalog.load_catalog(), sqlite_database(Path(url.removeprefix("sqlite:///"))))
    return Store("postgres", url, catalog.load_catalog(), postgres_database(url))


@asynccontextmanager
async def migrated_installation(
    folder: Path, slack: SlackStandIn, postgres_url: str | None = None
) -> AsyncIterator[Installation]:
    """Yields an installation with one integration that posts to `slack`, and the alias `support` of `DOMAIN`.

    The database is a new SQLite file in `folder`, or the empty database `postgres_url`.
    """
    found = program_installation(postgres_url or f"sqlite:///{folder / 'emailrouter.db'}", folder, UNPACED)
    async with found.open_database():
        await migrate.migrate(found.database)
        await found.seed(DOMAIN, ["support"], webhook=slack.url())
        yield found

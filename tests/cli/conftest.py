"""The office of each test: on SQLite, and where a test asks for `both`, on PostgreSQL too."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.cli.office import Office, opened_office
from tests.support.postgres import PostgresServer
from tests.support.stores import KINDS


@pytest.fixture
async def office(tmp_path: Path) -> Office:
    return await opened_office(tmp_path)


@pytest.fixture(params=KINDS)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Office]:
    if request.param == "sqlite":
        yield await opened_office(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = await server.create_database()
    yield await opened_office(tmp_path, url)
    await server.drop_database(url)

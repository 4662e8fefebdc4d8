"""Fixtures of the command tests: `cli` runs commands on SQLite, and `both` on each database in turn."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.installation.command_line import CommandLine, initialise
from tests.support.postgres import PostgresServer
from tests.support.stores import KINDS


@pytest.fixture
async def cli(tmp_path: Path) -> CommandLine:
    return await initialise(tmp_path)


@pytest.fixture(params=KINDS)
async def both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[CommandLine]:
    if request.param == "sqlite":
        yield await initialise(tmp_path)
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    url = await server.create_database()
    yield await initialise(tmp_path, url)
    await server.drop_database(url)

"""Fixtures of integration and system tests."""

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation import Installation, seeded_installation
from tests.support.log_secrets import find_secrets
from tests.support.outboxes import open_outboxes
from tests.support.postgres import PostgresServer, shared_server
from tests.support.process import Program
from tests.support.slack import SlackStandIn
from tests.support.stores import KINDS, Store, postgres_store, sqlite_store

__all__ = [
    "dns_server",
    "installation",
    "no_secrets_logged",
    "open_outboxes",
    "postgres_server",
    "postgres_url",
    "slack",
    "store",
]


@pytest.fixture(autouse=True)
def no_secrets_logged(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    started: list[Program] = []
    start = Program.start

    async def noted(program: Program) -> None:
        started.append(program)
        await start(program)

    monkeypatch.setattr(Program, "start", noted)
    yield
    found = {what for program in started for what in find_secrets(program.stderr)}
    assert found == set()


@pytest.fixture
async def slack() -> AsyncIterator[SlackStandIn]:
    async with SlackStandIn() as server:
        yield server


@pytest.fixture
async def dns_server() -> AsyncIterator[DnsStandIn]:
    """A DNS stand-in. Every name is NXDOMAIN until the test calls `set`."""
    async with DnsStandIn() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgresServer]:
    """One server for all xdist workers."""
    folder = tmp_path_factory.getbasetemp()
    server = shared_server(folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder)
    yield server
    server.close()


@pytest.fixture
async def postgres_url(postgres_server: PostgresServer) -> AsyncIterator[str]:
    url = await postgres_server.create_database()
    yield url
    await postgres_server.drop_database(url)


@pytest.fixture(params=KINDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An open database. The test runs on SQLite and on PostgreSQL."""
    if request.param == "sqlite":
        async with sqlite_store(tmp_path) as found:
            yield found
    else:
        async with postgres_store(request.getfixturevalue("postgres_server")) as found:
            yield found


@pytest.fixture
async def installation(store: Store) -> AsyncIterator[Installation]:
    """An installation with the aliases `support` and `billing`. The test runs on SQLite and on PostgreSQL."""
    async with seeded_installation(store) as found:
        yield found

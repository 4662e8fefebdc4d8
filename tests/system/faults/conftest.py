"""Fixtures of the fault tests, among them a PostgreSQL server that tests may stop."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from tests.support.postgres import PostgresServer, private_postgres
from tests.system.crash.conftest import kind, server

__all__ = ["kind", "server", "stoppable_postgres", "stoppable_server"]

# Few connection slots, so that a test can use all of them.
_SETTINGS = {"max_connections": "24", "superuser_reserved_connections": "3"}


@pytest.fixture(scope="module")
def stoppable_server() -> Iterator[PostgresServer]:
    with asyncio.Runner() as runner:
        manager = private_postgres(settings=_SETTINGS)
        found = runner.run(manager.__aenter__())
        yield found
        runner.run(manager.__aexit__(None, None, None))


@pytest.fixture
async def stoppable_postgres(stoppable_server: PostgresServer) -> AsyncIterator[Callable[[], PostgresServer]]:
    """Yields a function that returns the server. Resumes and starts the server after the test."""
    yield lambda: stoppable_server
    await stoppable_server.resume()
    await stoppable_server.start()

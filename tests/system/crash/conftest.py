"""Fixtures of the tests that run a whole installation."""

from collections.abc import Callable

import pytest

from tests.support.postgres import PostgresServer
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Which database; a test that asks for it runs on both."""
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Callable[[], PostgresServer]:
    """The test run's PostgreSQL, started only when it is asked for."""
    return lambda: request.getfixturevalue("postgres_server")

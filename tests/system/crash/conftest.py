"""Fixtures of the crash tests."""

from collections.abc import Callable

import pytest

from tests.support.postgres import PostgresServer
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Callable[[], PostgresServer]:
    """Returns a function that returns the PostgreSQL server of the test run, which starts on first use."""
    return lambda: request.getfixturevalue("postgres_server")

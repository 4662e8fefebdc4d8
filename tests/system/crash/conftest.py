"""Fixtures of the crash tests."""

from collections.abc import Callable

import pytest

from tests.support.postgres import PostgresServer
from tests.support.stores import KINDS


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The kind of database. A test that uses it runs on both."""
    return str(request.param)


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Callable[[], PostgresServer]:
    """The PostgreSQL server of the test run, started on first use."""
    return lambda: request.getfixturevalue("postgres_server")

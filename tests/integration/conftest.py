"""Fixtures of the integration tests: see `tests.support.fixtures`."""

from tests.support.fixtures import *  # noqa: F403 - `__all__` lists the fixtures

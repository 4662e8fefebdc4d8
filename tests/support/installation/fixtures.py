"""Fixtures of the tests of API and dashboard; a conftest.py imports those that its tests use."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.http import ServedInstallation, served_settings, serving
from tests.support.stores import Store, opened_sqlite


@pytest.fixture
async def served(store: Store, dns_server: DnsStandIn) -> AsyncIterator[ServedInstallation]:
    """An API process on SQLite and on PostgreSQL; domains are resolved by `dns_server`."""
    async with serving(store, served_settings(dns_server)) as found:
        yield found


@pytest.fixture
async def sqlite_served(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    """An API process on SQLite only, for tests that do not depend on the database."""
    async with opened_sqlite(tmp_path) as store, serving(store) as found:
        yield found

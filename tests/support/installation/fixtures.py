"""Fixtures for tests of the API and the dashboard."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.http import ServedInstallation, serve_api, served_settings
from tests.support.stores import Store, sqlite_store


@pytest.fixture
async def served(store: Store, dns_server: DnsStandIn) -> AsyncIterator[ServedInstallation]:
    async with serve_api(store, served_settings(dns_server)) as found:
        yield found


@pytest.fixture
async def sqlite_served(tmp_path: Path) -> AsyncIterator[ServedInstallation]:
    """An installation on SQLite, for tests that do not depend on the kind of database."""
    async with sqlite_store(tmp_path) as store, serve_api(store) as found:
        yield found

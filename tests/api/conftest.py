"""Fixtures of the API's tests: `desk` is one API process on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.desk import Desk, config, served
from tests.support.dns import DnsStandIn
from tests.support.stores import Store, opened_sqlite


@pytest.fixture
async def desk(store: Store, dns_server: DnsStandIn) -> AsyncIterator[Desk]:
    """An API with a workspace and its admin; domains are looked up at `dns_server`."""
    async with served(store, config(dns_server)) as found:
        yield found


@pytest.fixture
async def sqlite_desk(tmp_path: Path) -> AsyncIterator[Desk]:
    """The same on SQLite alone, for what no database has a part in."""
    async with opened_sqlite(tmp_path) as store, served(store) as found:
        yield found

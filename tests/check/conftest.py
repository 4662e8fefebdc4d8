"""The set-up that tests of the checks start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.check.setup import Setup, right
from tests.support.dns import DnsStandIn


@pytest.fixture
async def setup(tmp_path: Path, dns_server: DnsStandIn) -> AsyncIterator[Setup]:
    async with right(tmp_path, dns_server) as found:
        yield found

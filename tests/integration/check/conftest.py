"""The installation that the tests of the checks start from."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.checked import CheckedInstallation, right


@pytest.fixture
async def setup(tmp_path: Path, dns_server: DnsStandIn) -> AsyncIterator[CheckedInstallation]:
    async with right(tmp_path, dns_server) as found:
        yield found

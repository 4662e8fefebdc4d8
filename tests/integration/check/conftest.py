"""The correct setup from which the tests of the checks start."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.dns import DnsStandIn
from tests.support.installation.checked import CheckedInstallation, healthy_installation


@pytest.fixture
async def setup(tmp_path: Path, dns_server: DnsStandIn) -> AsyncIterator[CheckedInstallation]:
    async with healthy_installation(tmp_path, dns_server) as found:
        yield found

from collections.abc import AsyncIterator

import pytest

from tests.support.installation import Installation
from tests.support.stores import Store

SMARTHOST = {"outgoing.smarthost": "smtp://127.0.0.1:2525"}


@pytest.fixture
async def sending(store: Store) -> AsyncIterator[Installation]:
    """An installation whose domain sends replies. Nothing is sent unless a test starts it."""
    installation = Installation(store, SMARTHOST)
    async with installation.open_database():
        await installation.seed()
        await installation.execute("UPDATE domains SET sending = 'active'")
        yield installation

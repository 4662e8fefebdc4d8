from collections.abc import AsyncIterator

import pytest

from tests.support.manual_delivery import ManualDelivery, open_posting
from tests.support.stores import Store


@pytest.fixture
async def posting(store: Store) -> AsyncIterator[ManualDelivery]:
    async with open_posting(store) as opened:
        yield opened

"""Fixtures of the HTTP client tests, which run on both event loops."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping

import pytest
import uvloop

from router.outbound.client import OutboundClient


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Runs each test on both event loops."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def client() -> AsyncIterator[OutboundClient]:
    client = OutboundClient(allow_private=True, timeout=10, answer_excerpt=100)
    yield client
    await client.close()

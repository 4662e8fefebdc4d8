"""Helpers for tests of the outcomes of requests to channels."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from router.channels.contract import SendFailure, SendOutcome
from router.outbound.client import OutboundClient


def outcome_kind(outcome: SendOutcome) -> str:
    """Returns the kind of a failure, or the name of the class of another outcome."""
    return outcome.kind if isinstance(outcome, SendFailure) else type(outcome).__name__


@asynccontextmanager
async def outbound_client() -> AsyncIterator[OutboundClient]:
    """Yields a client that may connect to loopback addresses."""
    client = OutboundClient(allow_private=True)
    try:
        yield client
    finally:
        await client.close()

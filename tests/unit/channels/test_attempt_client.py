"""Each request of an attempt has its whole time limit, and none begins or ends after the deadline."""

from collections.abc import Mapping

import pytest

from router.channels.attempt_client import AttemptClient
from router.channels.contract import DeadlinePassed
from router.clock import SECOND
from router.outbound.client import HttpResponse
from tests.support.clock import FakeClock

LEASE_SECONDS = 60


class SlowClient:
    """Each request takes some seconds; records the time limits."""

    def __init__(self, clock: FakeClock, seconds: float) -> None:
        self.limits: list[float] = []
        self._clock = clock
        self._seconds = seconds

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], body: bytes, timeout: float
    ) -> HttpResponse:
        self.limits.append(timeout)
        self._clock.advance(self._seconds)
        return HttpResponse(200, {}, "ok", 1)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def open_attempt(clock: FakeClock, client: SlowClient) -> AttemptClient:
    return AttemptClient(client, clock, clock.now() + LEASE_SECONDS * SECOND)


async def request(client: AttemptClient, timeout: float = 10) -> HttpResponse:
    return await client.request("POST", "https://chat.test/", headers={}, body=b"", timeout=timeout)


async def test_each_request_has_the_whole_time_limit(clock: FakeClock) -> None:
    slow = SlowClient(clock, 9)
    client = open_attempt(clock, slow)
    for timeout in (10, 10, 3):
        await request(client, timeout)
    assert slow.limits == [10, 10, 3]


async def test_no_request_begins_that_could_outlast_the_deadline(clock: FakeClock) -> None:
    slow = SlowClient(clock, 1)
    client = open_attempt(clock, slow)
    clock.advance(LEASE_SECONDS - 10)
    await request(client)
    with pytest.raises(DeadlinePassed):
        await request(client)
    assert slow.limits == [10]


async def test_no_request_begins_after_the_deadline(clock: FakeClock) -> None:
    slow = SlowClient(clock, 1)
    client = open_attempt(clock, slow)
    clock.advance(LEASE_SECONDS + 1)
    with pytest.raises(DeadlinePassed):
        await request(client)
    assert slow.limits == []

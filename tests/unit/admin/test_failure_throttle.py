"""Failures are throttled by key."""

import pytest

from router.ratelimit.failure_throttle import Attempts, Throttled
from router.ratelimit.sliding_window import Limit
from tests.support.clock import FakeClock


def test_too_many_failures_are_throttled_for_a_time() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, Limit(3, 60))
    for _ in range(3):
        attempts.check("a")
        attempts.failed("a")
    with pytest.raises(Throttled) as throttled:
        attempts.check("a")
    attempts.check("b")
    clock.advance(throttled.value.retry_after)
    attempts.check("a")


def test_a_successful_attempt_is_not_counted() -> None:
    attempts = Attempts(FakeClock(), Limit(1, 60))
    attempts.forgive("a")
    attempts.failed("a")
    attempts.forgive("a")
    attempts.check("a")
    attempts.failed("a")
    with pytest.raises(Throttled):
        attempts.check("a")

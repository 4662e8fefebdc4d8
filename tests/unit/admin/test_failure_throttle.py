"""Failures are throttled separately for each key."""

import pytest

from router.ratelimit.failure_throttle import FailureThrottle, RateLimited
from router.ratelimit.sliding_window import RateLimit
from tests.support.clock import FakeClock


def test_too_many_failures_are_throttled_for_a_time() -> None:
    clock = FakeClock()
    attempts = FailureThrottle(clock, RateLimit(3, 60))
    for _ in range(3):
        attempts.check("a")
        attempts.record_failure("a")
    with pytest.raises(RateLimited) as throttled:
        attempts.check("a")
    attempts.check("b")
    clock.advance(throttled.value.retry_after)
    attempts.check("a")


def test_a_successful_attempt_is_not_counted() -> None:
    attempts = FailureThrottle(FakeClock(), RateLimit(1, 60))
    attempts.remove_failure("a")
    attempts.record_failure("a")
    attempts.remove_failure("a")
    attempts.check("a")
    attempts.record_failure("a")
    with pytest.raises(RateLimited):
        attempts.check("a")

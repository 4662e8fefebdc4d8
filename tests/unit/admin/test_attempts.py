"""Failures are throttled by what they came from."""

import pytest

from router.ratelimit.failure_throttle import Attempts, Throttled
from router.ratelimit.sliding_window import Limit
from tests.support.clock import FakeClock


def test_too_many_failures_wait_and_then_may_try_again() -> None:
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


def test_an_attempt_that_succeeded_is_no_failure() -> None:
    attempts = Attempts(FakeClock(), Limit(1, 60))
    attempts.forgive("a")
    attempts.failed("a")
    attempts.forgive("a")
    attempts.check("a")
    attempts.failed("a")
    with pytest.raises(Throttled):
        attempts.check("a")

"""A connection pauses after it discards bytes, and all connections share one discard rate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smtp.bounds import Bounds
from smtp.throttle import DiscardThrottle
from tests.support.smtp_doubles import make_bounds

ROUNDING = 1e-9  # seconds; a pause is a difference of two times


def test_rate_applies_to_all_connections_together() -> None:
    throttle = DiscardThrottle(make_bounds())
    assert throttle.next_pause(1_000, 10.0) == Bounds.min_discard_pause
    for _ in range(100):
        last = throttle.next_pause(Bounds.read_bytes, 10.0)
    assert last == pytest.approx((100 * Bounds.read_bytes + 1_000) / Bounds.discard_rate)
    assert throttle.next_pause(1_000, 11.0) == Bounds.min_discard_pause, "idle time gives neither credit nor debt"
    for _ in range(2_000):
        last = throttle.next_pause(Bounds.read_bytes, 11.0)
    assert last == Bounds.max_discard_pause


@given(st.lists(st.tuples(st.integers(1, 10**7), st.floats(0, 2)), max_size=50))
def test_pause_is_bounded_and_keeps_the_rate(reads: list[tuple[int, float]]) -> None:
    throttle, now, total = DiscardThrottle(make_bounds()), 100.0, 0
    for nbytes, elapsed in reads:
        now += elapsed
        total += nbytes
        pause = throttle.next_pause(nbytes, now)
        assert Bounds.min_discard_pause <= pause <= Bounds.max_discard_pause + ROUNDING
        if pause < Bounds.max_discard_pause - ROUNDING:
            assert pause >= min(nbytes / Bounds.discard_rate, Bounds.max_discard_pause) - ROUNDING


def test_bounds_are_applied() -> None:
    throttle = DiscardThrottle(make_bounds(discard_rate=100, min_discard_pause=0.5, max_discard_pause=3.0))
    assert [throttle.next_pause(nbytes, 0.0) for nbytes in (1, 99, 100, 1_000, 1)] == pytest.approx([0.5, 1, 2, 3, 3])

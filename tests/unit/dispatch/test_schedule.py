"""Computation of retry times and of pacing."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.clock import SECOND
from router.dispatch.pacing import MAX_AHEAD, admit, paced_at_for, send_interval
from router.dispatch.schedule import (
    JITTER,
    MAX_PROBE_INTERVAL,
    MAX_TRUSTED_FAILURES,
    MIN_PROBE_INTERVAL,
    WAIT_SECONDS,
    attempts_within,
    next_attempt,
    next_probe_interval,
)

HOUR = 3600
NOW = 1_763_810_645_000_000
FAR = NOW + 30 * 24 * HOUR * SECOND
RANDOM = st.floats(min_value=0, max_value=1)
TIME = st.integers(min_value=0, max_value=2**61)


def test_the_list_of_waits() -> None:
    assert len(WAIT_SECONDS) == 8
    assert list(WAIT_SECONDS) == sorted(WAIT_SECONDS)
    assert 27 * HOUR <= sum(WAIT_SECONDS) < 72 * HOUR  # less than the default delivery.max_age of 3 days


@given(st.integers(min_value=1, max_value=10_000), RANDOM)
def test_each_step_with_its_jitter(attempts: int, random: float) -> None:
    due = next_attempt(attempts, NOW, FAR, None, random)
    step = WAIT_SECONDS[min(attempts, 8) - 1] * SECOND
    assert due is not None
    assert step <= due - NOW <= step * (1 + JITTER) + 1


@given(st.integers(1, 20), TIME, TIME, st.none() | st.floats(0, HOUR), RANDOM)
def test_never_after_expiry_and_never_too_early(
    attempts: int, now: int, expires_at: int, retry_after: float | None, random: float
) -> None:
    due = next_attempt(attempts, now, expires_at, retry_after, random)
    if due is None:
        assert now >= expires_at or (retry_after is not None and now + retry_after * SECOND >= expires_at - 1)
    else:
        assert now < due <= expires_at or retry_after == 0
        assert due >= now + (retry_after or 0) * SECOND - 1


@given(st.floats(0, HOUR), RANDOM)
def test_retry_after_replaces_the_wait_at_first(retry_after: float, random: float) -> None:
    for attempts in range(1, MAX_TRUSTED_FAILURES + 1):
        due = next_attempt(attempts, NOW, FAR, retry_after, random)
        assert due is not None
        assert retry_after * SECOND <= due - NOW <= retry_after * (1 + JITTER) * SECOND + 1


@given(st.floats(0, HOUR), RANDOM, st.integers(MAX_TRUSTED_FAILURES + 1, 20))
def test_later_retry_after_cannot_shorten_the_wait(retry_after: float, random: float, attempts: int) -> None:
    due = next_attempt(attempts, NOW, FAR, retry_after, random)
    plain = next_attempt(attempts, NOW, FAR, None, random)
    assert due is not None
    assert plain is not None
    assert due >= plain


def test_the_last_attempt_is_at_expiry() -> None:
    expires_at = NOW + 3 * SECOND
    assert next_attempt(1, NOW, expires_at, None, 0.5) == expires_at
    assert next_attempt(2, expires_at, expires_at, None, 0.5) is None
    assert next_attempt(1, NOW, expires_at, 10, 0.5) is None


@given(st.lists(RANDOM, min_size=200, max_size=200))
def test_a_delivery_expires(randoms: list[float]) -> None:
    now, expires_at, attempts = NOW, NOW + 72 * HOUR * SECOND, 0
    for random in randoms:
        attempts += 1
        due = next_attempt(attempts, now, expires_at, None, random)
        if due is None:
            break
        now = due
    assert due is None
    assert now == expires_at
    assert 10 <= attempts <= 14


def test_probe_intervals() -> None:
    intervals = [0]
    for _ in range(6):
        intervals.append(next_probe_interval(intervals[-1]))
    assert [value // (60 * SECOND) for value in intervals[1:]] == [5, 10, 20, 40, 60, 60]
    assert (intervals[1], intervals[-1]) == (MIN_PROBE_INTERVAL, MAX_PROBE_INTERVAL)


# --- pacing

RATE = st.floats(min_value=0.01, max_value=1000)
BURST = st.integers(min_value=1, max_value=50)


def _send_times(arrivals: list[int], rate: float, burst: int) -> list[int]:
    """Returns the times at which messages with these arrival times would be sent."""
    paced_at, clock, times = 0, 0, []
    for arrival in sorted(arrivals):
        clock = max(clock, arrival)
        wait, paced_at = admit(paced_at, clock, rate, burst)
        while wait:
            clock += wait
            wait, paced_at = admit(paced_at, clock, rate, burst)
        times.append(clock)
    return times


@given(st.lists(st.integers(NOW, NOW + 60 * SECOND), min_size=1, max_size=40), RATE, BURST)
def test_no_window_exceeds_burst_and_rate(arrivals: list[int], rate: float, burst: int) -> None:
    times, step = _send_times(arrivals, rate, burst), send_interval(rate)
    for first, start in enumerate(times):
        for last in range(first, len(times)):
            assert last - first + 1 <= burst + (times[last] - start) // step


@given(RATE, BURST)
def test_an_idle_period_allows_one_burst(rate: float, burst: int) -> None:
    times = _send_times([NOW] * (burst + 2), rate, burst)
    assert times[:burst] == [NOW] * burst
    assert times[burst:] == [NOW + send_interval(rate), NOW + 2 * send_interval(rate)]


@given(st.integers(0, 2**61), st.integers(0, 2**61), RATE, BURST)
def test_a_wait_is_exact_and_leaves_the_state_unchanged(paced_at: int, now: int, rate: float, burst: int) -> None:
    wait, kept = admit(paced_at, now, rate, burst)
    if wait:
        assert kept == paced_at
        assert admit(paced_at, now + wait, rate, burst)[0] == 0
        assert admit(paced_at, now + wait - 1, rate, burst)[0] == 1
        assert wait <= MAX_AHEAD + send_interval(rate)
    else:
        assert kept > now


def test_the_clock_set_back_does_not_stop_a_webhook() -> None:
    _, paced_at = admit(0, NOW, 1, 5)
    assert admit(paced_at, NOW - 30 * 24 * HOUR * SECOND, 1, 5)[0] == 0


@given(st.integers(0, HOUR * SECOND), st.floats(0, 1000), BURST)
def test_paced_at_for_a_later_time(delay: int, rate: float, burst: int) -> None:
    paced_at = paced_at_for(NOW + delay, rate, burst)
    assert admit(paced_at, NOW, rate, burst)[0] == delay
    wait, paced_at = admit(paced_at, NOW + delay, rate, burst)
    assert wait == 0
    if rate >= 0.01:
        assert admit(paced_at, NOW + delay, rate, burst)[0] == send_interval(rate)


def test_unlimited() -> None:
    assert send_interval(0) == 0
    assert _send_times([NOW] * 100, 0, 1) == [NOW] * 100


@pytest.mark.parametrize("sign", [1, -1])
def test_the_attempts_of_an_update_follow_from_the_time_since_the_change(sign: int) -> None:
    """Also if the clock was set back since, so that a failing request is not repeated every 5 seconds for days."""
    times = [0, 5, 34, 35, 155, 100 * 3600]
    assert [attempts_within(sign * seconds * SECOND) for seconds in times] == [1, 2, 2, 3, 4, 9]

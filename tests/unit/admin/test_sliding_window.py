"""The sliding window, with generated limits and counts."""

from hypothesis import given
from hypothesis import strategies as st

from router.admin.access.sign_in_limits import ACCOUNT_LIMIT
from router.ratelimit import sliding_window
from router.ratelimit.sliding_window import RateLimit

SECOND = 1_000_000
limits = st.builds(RateLimit, requests=st.integers(1, 20_000), seconds=st.sampled_from([1, 60, 900, 86400]))
moments = st.integers(1_800_000_000 * SECOND, 1_900_000_000 * SECOND)


@given(limits, st.lists(st.tuples(st.integers(0, 5 * SECOND), st.integers(1, 30)), max_size=60))
def test_no_aligned_window_exceeds_the_limit(limit: RateLimit, bursts: list[tuple[int, int]]) -> None:
    now = 1_800_000_000 * SECOND
    counts: dict[int, int] = {}
    for pause, size in bursts:
        now += pause * limit.seconds // 2
        for _ in range(size):
            start = sliding_window.window_start(limit, now)
            previous, current = counts.get(start - limit.seconds, 0), counts.get(start, 0)
            left = limit.length - now % limit.length
            allowed = current + 1 <= sliding_window.window_limit(limit, previous, now)
            assert allowed == (previous * left + (current + 1) * limit.length <= limit.requests * limit.length)
            if allowed:
                counts[start] = current + 1
    assert all(count <= limit.requests for count in counts.values())


@given(limits, st.integers(0, 20_000), st.integers(0, 20_000), moments)
def test_waiting_for_retry_after_is_sufficient(limit: RateLimit, previous: int, current: int, now: int) -> None:
    previous, current = min(previous, limit.requests), min(current, limit.requests)
    if current + 1 <= sliding_window.window_limit(limit, previous, now):
        return
    wait = sliding_window.seconds_until_allowed(limit, previous, current, now)
    assert 1 <= wait <= 2 * limit.seconds + 1
    start, later = sliding_window.window_start(limit, now), now + wait * SECOND
    passed = (sliding_window.window_start(limit, later) - start) // limit.seconds
    at_then = [(previous, current), (current, 0), (0, 0)][min(passed, 2)]
    assert at_then[1] + 1 <= sliding_window.window_limit(limit, at_then[0], later)


@given(limits, st.integers(0, 20_000), moments)
def test_the_window_boundary_is_smooth(limit: RateLimit, used: int, now: int) -> None:
    used = min(used, limit.requests)
    edge = (now // limit.length + 1) * limit.length
    assert sliding_window.window_limit(limit, used, edge) == limit.requests - used


@given(limits, st.integers(0, 20_000), st.integers(0, 20_000), moments, st.booleans())
def test_verdict_values_are_in_range(limit: RateLimit, previous: int, current: int, now: int, allowed: bool) -> None:
    verdict = sliding_window.limit_status(limit, previous, current, now, allowed=allowed)
    assert 0 <= verdict.remaining <= limit.requests
    assert 0 < verdict.reset - now / SECOND <= limit.seconds
    assert (verdict.retry_after == 0) == allowed


def test_the_nearer_limit_is_returned() -> None:
    near = sliding_window.RateLimitStatus(True, 100, 3, 60)
    far = sliding_window.RateLimitStatus(True, 10_000, 9_000, 86400)
    refused = sliding_window.RateLimitStatus(False, 10_000, 0, 86400, 5)
    assert sliding_window.most_restrictive([far, near]) is near
    assert sliding_window.most_restrictive([near, refused]) is refused
    assert sliding_window.most_restrictive([]) is None


def test_an_account_has_at_most_a_hundred_failures_an_hour() -> None:
    moments: list[int] = []
    counts: dict[int, int] = {}
    for now in range(1_800_003_590, 1_800_014_400, 2):
        start = sliding_window.window_start(ACCOUNT_LIMIT, now * SECOND)
        bound = sliding_window.window_limit(ACCOUNT_LIMIT, counts.get(start - ACCOUNT_LIMIT.seconds, 0), now * SECOND)
        moments += [now] * max(0, bound - counts.get(start, 0))
        counts[start] = max(bound, counts.get(start, 0))
    within_an_hour = [sum(first <= moment < first + 3600 for moment in moments) for first in moments]
    assert (counts[1_800_000_000], max(within_an_hour)) == (50, 99)

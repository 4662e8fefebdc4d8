"""How long a domain stays verified: nothing short of days of definite answers takes it away. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dns.verification import VerificationResult
from router.dns.verification_state import (
    DAY,
    JITTER,
    MAX_MISSES,
    MIN_MISSING_TIME,
    MISSING_RECHECK_INTERVAL,
    NEW_RECHECK_INTERVAL,
    VerificationState,
    next_check_at,
    next_state,
)

NOW = 1_900_000_000_000_000
RIGHT = VerificationResult((), is_verified=True, has_correct_record=True)
HALF = VerificationResult((), is_verified=False, has_correct_record=True)
GONE = VerificationResult((), is_verified=False, is_definitely_missing=True)
UNKNOWN = VerificationResult((), is_verified=False)
ACTIVE = VerificationState("active")


def test_a_pending_domain_waits_for_its_whole_proof() -> None:
    pending = VerificationState("pending_verification")
    assert next_state(pending, RIGHT, NOW, counts_misses=True) == VerificationState("active", change="verified")
    for verdict in (HALF, GONE, UNKNOWN):
        assert next_state(pending, verdict, NOW, counts_misses=True) == pending


def test_the_course_of_a_domain_whose_records_are_gone() -> None:
    standing, changes = ACTIVE, []
    for day in range(20):
        standing = next_state(standing, GONE, NOW + day * DAY, counts_misses=True)
        changes.append(standing.change)
        if standing.status != "active":
            break
    assert changes == ["", "failing", "", "", "unverified"]
    assert day * DAY >= MIN_MISSING_TIME
    assert len(changes) == MAX_MISSES


def test_many_misses_in_a_short_time_are_not_enough() -> None:
    standing = ACTIVE
    for minute in range(1000):
        standing = next_state(standing, GONE, NOW + minute * 60_000_000, counts_misses=True)
    assert standing.status == "active"


@given(st.lists(st.sampled_from([UNKNOWN, HALF, RIGHT]), min_size=1), st.integers(0, MAX_MISSES - 1))
def test_only_definite_misses_of_both_records_count(verdicts: list[VerificationResult], before: int) -> None:
    standing = VerificationState("active", before, NOW - 30 * DAY if before else None)
    for n, verdict in enumerate(verdicts):
        standing = next_state(standing, verdict, NOW + n * DAY, counts_misses=True)
        assert standing.status == "active"
        assert standing.misses <= before


def test_one_right_answer_begins_anew() -> None:
    doubted = VerificationState("active", MAX_MISSES - 1, NOW - 30 * DAY)
    assert next_state(doubted, HALF, NOW, counts_misses=True) == VerificationState("active", change="recovered")


def test_what_a_person_asks_for_counts_as_no_miss() -> None:
    doubted = VerificationState("active", MAX_MISSES - 1, NOW - 30 * DAY)
    assert next_state(doubted, GONE, NOW, counts_misses=False) == doubted


def test_a_clock_that_was_set_back_prolongs_nothing_for_ever() -> None:
    standing = next_state(VerificationState("active", 1, NOW + 100 * DAY), GONE, NOW, counts_misses=True)
    assert standing.missing_since == NOW


@pytest.mark.parametrize(
    ("standing", "age", "wait"),
    [
        (ACTIVE, 0, 3 * DAY),
        (VerificationState("active", 1, NOW), 0, MISSING_RECHECK_INTERVAL),
        (VerificationState("pending_verification"), 0, NEW_RECHECK_INTERVAL),
        (VerificationState("pending_verification"), 3 * DAY, 3 * DAY),
    ],
)
def test_when_it_is_looked_at_again(standing: VerificationState, age: int, wait: int) -> None:
    for jitter in (0.0, 0.5, 0.999):
        at = next_check_at(standing, NOW, created_at=NOW - age, interval=3 * DAY, jitter=jitter)
        assert abs(at - NOW - wait) <= JITTER * wait + 1

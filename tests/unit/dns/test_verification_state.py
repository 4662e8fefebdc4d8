"""A verified domain becomes unverified only if its records are definitely missing for several days."""

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
CORRECT = VerificationResult((), is_verified=True, has_correct_record=True)
PARTLY_CORRECT = VerificationResult((), is_verified=False, has_correct_record=True)
MISSING = VerificationResult((), is_verified=False, is_definitely_missing=True)
FAILED = VerificationResult((), is_verified=False)
ACTIVE = VerificationState("active")


def test_pending_domain_needs_all_required_records() -> None:
    pending = VerificationState("pending_verification")
    assert next_state(pending, CORRECT, NOW, counts_misses=True) == VerificationState("active", change="verified")
    for result in (PARTLY_CORRECT, MISSING, FAILED):
        assert next_state(pending, result, NOW, counts_misses=True) == pending


def test_transitions_while_records_are_missing() -> None:
    state, changes = ACTIVE, []
    for day in range(20):
        state = next_state(state, MISSING, NOW + day * DAY, counts_misses=True)
        changes.append(state.change)
        if state.status != "active":
            break
    assert changes == ["", "failing", "", "", "unverified"]
    assert day * DAY >= MIN_MISSING_TIME
    assert len(changes) == MAX_MISSES


def test_many_misses_in_a_short_time_do_not_unverify() -> None:
    state = ACTIVE
    for minute in range(1000):
        state = next_state(state, MISSING, NOW + minute * 60_000_000, counts_misses=True)
    assert state.status == "active"


@given(st.lists(st.sampled_from([FAILED, PARTLY_CORRECT, CORRECT]), min_size=1), st.integers(0, MAX_MISSES - 1))
def test_failed_queries_and_single_records_are_no_misses(results: list[VerificationResult], before: int) -> None:
    state = VerificationState("active", before, NOW - 30 * DAY if before else None)
    for n, result in enumerate(results):
        state = next_state(state, result, NOW + n * DAY, counts_misses=True)
        assert state.status == "active"
        assert state.misses <= before


def test_one_correct_answer_resets_the_misses() -> None:
    failing = VerificationState("active", MAX_MISSES - 1, NOW - 30 * DAY)
    assert next_state(failing, PARTLY_CORRECT, NOW, counts_misses=True) == VerificationState(
        "active", change="recovered"
    )


def test_check_by_a_user_counts_no_miss() -> None:
    failing = VerificationState("active", MAX_MISSES - 1, NOW - 30 * DAY)
    assert next_state(failing, MISSING, NOW, counts_misses=False) == failing


def test_clock_set_back_resets_the_start_of_the_misses() -> None:
    state = next_state(VerificationState("active", 1, NOW + 100 * DAY), MISSING, NOW, counts_misses=True)
    assert state.missing_since == NOW


@pytest.mark.parametrize(
    ("state", "age", "wait"),
    [
        (ACTIVE, 0, 3 * DAY),
        (VerificationState("active", 1, NOW), 0, MISSING_RECHECK_INTERVAL),
        (VerificationState("pending_verification"), 0, NEW_RECHECK_INTERVAL),
        (VerificationState("pending_verification"), 3 * DAY, 3 * DAY),
    ],
)
def test_next_check(state: VerificationState, age: int, wait: int) -> None:
    for jitter in (0.0, 0.5, 0.999):
        at = next_check_at(state, NOW, created_at=NOW - age, interval=3 * DAY, jitter=jitter)
        assert abs(at - NOW - wait) <= JITTER * wait + 1

"""How long a domain stays verified: nothing short of days of definite answers takes it away. Pure."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.dns.standing import DAY, IN_DOUBT, JITTER, JUST_ADDED, MISSES, PATIENCE, Standing, after, next_check
from router.dns.verification import Verdict

NOW = 1_900_000_000_000_000
RIGHT = Verdict((), verified=True, stands=True)
HALF = Verdict((), verified=False, stands=True)
GONE = Verdict((), verified=False, gone=True)
UNKNOWN = Verdict((), verified=False)
ACTIVE = Standing("active")


def test_a_pending_domain_waits_for_its_whole_proof() -> None:
    pending = Standing("pending_verification")
    assert after(pending, RIGHT, NOW, counts=True) == Standing("active", change="verified")
    for verdict in (HALF, GONE, UNKNOWN):
        assert after(pending, verdict, NOW, counts=True) == pending


def test_the_course_of_a_domain_whose_records_are_gone() -> None:
    standing, changes = ACTIVE, []
    for day in range(20):
        standing = after(standing, GONE, NOW + day * DAY, counts=True)
        changes.append(standing.change)
        if standing.status != "active":
            break
    assert changes == ["", "doubted", "", "", "unverified"]
    assert day * DAY >= PATIENCE
    assert len(changes) == MISSES


def test_many_misses_in_a_short_time_are_not_enough() -> None:
    standing = ACTIVE
    for minute in range(1000):
        standing = after(standing, GONE, NOW + minute * 60_000_000, counts=True)
    assert standing.status == "active"


@given(st.lists(st.sampled_from([UNKNOWN, HALF, RIGHT]), min_size=1), st.integers(0, MISSES - 1))
def test_only_definite_misses_of_both_records_count(verdicts: list[Verdict], before: int) -> None:
    standing = Standing("active", before, NOW - 30 * DAY if before else None)
    for n, verdict in enumerate(verdicts):
        standing = after(standing, verdict, NOW + n * DAY, counts=True)
        assert standing.status == "active"
        assert standing.misses <= before


def test_one_right_answer_begins_anew() -> None:
    doubted = Standing("active", MISSES - 1, NOW - 30 * DAY)
    assert after(doubted, HALF, NOW, counts=True) == Standing("active", change="trusted")


def test_what_a_person_asks_for_counts_as_no_miss() -> None:
    doubted = Standing("active", MISSES - 1, NOW - 30 * DAY)
    assert after(doubted, GONE, NOW, counts=False) == doubted


def test_a_clock_that_was_set_back_prolongs_nothing_for_ever() -> None:
    standing = after(Standing("active", 1, NOW + 100 * DAY), GONE, NOW, counts=True)
    assert standing.missing_since == NOW


@pytest.mark.parametrize(
    ("standing", "age", "wait"),
    [
        (ACTIVE, 0, 3 * DAY),
        (Standing("active", 1, NOW), 0, IN_DOUBT),
        (Standing("pending_verification"), 0, JUST_ADDED),
        (Standing("pending_verification"), 3 * DAY, 3 * DAY),
    ],
)
def test_when_it_is_looked_at_again(standing: Standing, age: int, wait: int) -> None:
    for jitter in (0.0, 0.5, 0.999):
        at = next_check(standing, NOW, created_at=NOW - age, interval=3 * DAY, jitter=jitter)
        assert abs(at - NOW - wait) <= JITTER * wait + 1

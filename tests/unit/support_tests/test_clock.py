from datetime import UTC, datetime

import pytest

from router.clock import Clock
from tests.support.clock import FakeClock


def test_advance_changes_both_clocks() -> None:
    clock = FakeClock(datetime(2030, 1, 1, tzinfo=UTC))
    taken: Clock = clock
    before = taken.monotonic()
    assert taken.now() == taken.now() == 1_893_456_000_000_000
    assert clock.advance(1.5, minutes=1) == 1_893_456_061_500_000
    assert clock.monotonic() - before == 61.5
    with pytest.raises(AssertionError, match="backwards"):
        clock.advance(-1)


def test_set_does_not_change_the_monotonic_clock() -> None:
    clock = FakeClock()
    before = clock.monotonic()
    clock.set(datetime(2020, 1, 1, tzinfo=UTC))
    assert clock.now() == 1_577_836_800_000_000
    assert clock.monotonic() == before

"""Ids of a process always increase, whatever the clock does."""

import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest

from router import ids

NANOSECONDS = 1_000_000  # in a millisecond


def new_ids(count: int) -> list[str]:
    return [ids.new_id("msg") for _ in range(count)]


def test_ids_increase_although_the_clock_stops_or_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    start = time.time_ns() // NANOSECONDS + 1000
    found = []
    for milliseconds in (start, start, start + 2, start + 1, 5, start + 3):
        monkeypatch.setattr(time, "time_ns", lambda now=milliseconds: now * NANOSECONDS)
        found += new_ids(100)
    assert all(one < other for one, other in pairwise(found))
    assert ids.timestamp_ms(found[0]) == start
    assert ids.timestamp_ms(found[-1]) == start + 3


def test_ids_of_several_threads_are_distinct() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = [each for part in threads.map(new_ids, [2000] * 8) for each in part]
    assert len(set(found)) == len(found)

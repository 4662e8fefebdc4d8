"""Statistics of durations, and the samples of tickets that they are read from. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from router.model import Micros

SAMPLE_SIZE = 1000
MAX_SPAM_FACTOR = 10  # maximum number of numbers that are looked up for each ticket of a sample


@dataclass(frozen=True, slots=True)
class DurationStatistics:
    """The median and the 90th or 95th percentile (see `Overview`) of `count` durations; None if `count` is 0."""

    count: int
    median: Micros | None
    percentile: Micros | None


def duration_statistics(values: Sequence[Micros], quantile: float) -> DurationStatistics:
    """Returns the median and a quantile of durations (nearest-rank method)."""
    if not values:
        return DurationStatistics(0, None, None)
    ordered = sorted(values)
    ranks = [max(1, math.ceil(q * len(ordered))) for q in (0.5, quantile)]
    return DurationStatistics(len(ordered), ordered[ranks[0] - 1], ordered[ranks[1] - 1])


def sample_numbers(newest: int, count: int, tickets: int) -> list[int]:
    """Returns about every n-th of the newest `count` numbers, newest first, and some earlier ones.

    `tickets` of them are the numbers of tickets that are not spam. Of these, a sample has about `SAMPLE_SIZE`, or fewer
    if most tickets are spam. The numbers are multiples of n, so that a sample keeps most of its tickets when new ones
    arrive.
    """
    step = max(1, round(tickets / SAMPLE_SIZE))
    last = max(0, newest - max(count, 2 * SAMPLE_SIZE * step))
    step = max(step, math.ceil(count / (MAX_SPAM_FACTOR * SAMPLE_SIZE)))
    return list(range(newest - newest % step, last, -step))

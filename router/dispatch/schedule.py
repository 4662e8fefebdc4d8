"""Computes when a delivery is retried, from a fixed list of waits. Pure.

Jitter lengthens each wait, so that deliveries that failed together are not retried together.
"""

from __future__ import annotations

import itertools
import math

from router.clock import SECOND
from router.model import Micros

_MINUTE = 60
_HOUR = 60 * _MINUTE

# More than 27 hours in total. The last wait repeats until the delivery expires (`max_age`).
WAIT_SECONDS: tuple[int, ...] = (
    5,
    30,
    2 * _MINUTE,
    15 * _MINUTE,
    1 * _HOUR,
    4 * _HOUR,
    10 * _HOUR,
    12 * _HOUR,
)
JITTER = 0.2  # the maximum jitter, as a fraction of the wait
MAX_WAIT: Micros = round(max(WAIT_SECONDS) * (1 + JITTER)) * SECOND
# Retry-After can shorten the wait after at most this many failures. Later it can only lengthen the wait.
MAX_TRUSTED_FAILURES = 3

MIN_PROBE_INTERVAL: Micros = 5 * _MINUTE * SECOND
MAX_PROBE_INTERVAL: Micros = 1 * _HOUR * SECOND


def next_attempt(
    attempts: int, now: Micros, expires_at: Micros, retry_after: float | None, random: float
) -> Micros | None:
    """Returns the time of the next attempt after `attempts` failed ones; None if the delivery expires first.

    Args:
        expires_at: The latest time of an attempt.
        retry_after: Seconds that the endpoint asked for.
        random: 0 to 1; determines the jitter.
    """
    if now >= expires_at:
        return None
    step = float(WAIT_SECONDS[min(max(attempts, 1), len(WAIT_SECONDS)) - 1])
    least = now + _micros(retry_after or 0.0)
    if least > expires_at:
        return None
    seconds = step
    if retry_after is not None:
        seconds = retry_after if attempts <= MAX_TRUSTED_FAILURES else max(retry_after, step)
    wait = _micros(seconds * (1 + JITTER * min(max(random, 0.0), 1.0)))
    return min(now + wait, expires_at)


def attempts_within(elapsed: Micros) -> int:
    """Returns how many attempts the list of waits plans until `elapsed` after the first one, which is included.

    A negative `elapsed` counts as positive: a clock that was set back must not shorten all waits to the first one.
    """
    return 1 + sum(planned * SECOND <= abs(elapsed) for planned in itertools.accumulate(WAIT_SECONDS))


def next_probe_interval(interval: Micros) -> Micros:
    """Returns the interval until the next probe. `interval` is the previous one, 0 before the first probe."""
    return MIN_PROBE_INTERVAL if interval <= 0 else min(interval * 2, MAX_PROBE_INTERVAL)


def _micros(seconds: float) -> Micros:
    """Rounds up, so that a wait is never shorter than `seconds`."""
    return math.ceil(seconds * SECOND)

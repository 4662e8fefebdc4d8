"""Computes when a delivery is retried, from a fixed list of waits.

Pure: time and randomness are arguments. Jitter lengthens each wait, so that deliveries that failed together are not
retried together.
"""

from __future__ import annotations

import math

from router.clock import SECOND
from router.model import Micros

_MINUTE = 60
_HOUR = 60 * _MINUTE

# The waits after the 1st, 2nd, ... failed attempt, more than 27 hours in total. The last wait repeats until max_age.
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
JITTER = 0.2  # a wait is lengthened by up to this fraction
MAX_WAIT: Micros = round(max(WAIT_SECONDS) * (1 + JITTER)) * SECOND
# Up to this many failures, Retry-After replaces the wait from WAIT_SECONDS; later it can only lengthen the wait.
MAX_TRUSTED_FAILURES = 3

MIN_PROBE_INTERVAL: Micros = 5 * _MINUTE * SECOND
MAX_PROBE_INTERVAL: Micros = 1 * _HOUR * SECOND


def next_attempt(
    attempts: int, now: Micros, expires_at: Micros, retry_after: float | None, random: float
) -> Micros | None:
    """Returns the time of the next attempt after `attempts` (1 or more) failed ones; None if the delivery is dead.

    Args:
        expires_at: Creation or replay plus `[delivery] max_age`, plus the time the delivery was parked. A later attempt
            is moved to this time and is the last one. If `retry_after` forbids this time, there is no further attempt.
        retry_after: Seconds that the endpoint asked for; None if it did not.
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


def next_probe_interval(interval: Micros) -> Micros:
    """Returns the interval until the next probe. `interval` is the previous one; 0 before the first probe."""
    return MIN_PROBE_INTERVAL if interval <= 0 else min(interval * 2, MAX_PROBE_INTERVAL)


def _micros(seconds: float) -> Micros:
    """Converts seconds to microseconds, rounded up so that the wait is never shorter."""
    return math.ceil(seconds * SECOND)

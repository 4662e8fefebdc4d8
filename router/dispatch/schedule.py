"""When a delivery is tried again: a literal list of waits, and the arithmetic around it.

Pure: time and randomness arrive as arguments. Jitter only ever lengthens a wait, so that the list is a promise
("not before") and many deliveries that failed together do not come back together.
"""

from __future__ import annotations

import math

from router.clock import SECOND
from router.model import Micros

_MINUTE = 60
_HOUR = 60 * _MINUTE

# Seconds to wait after the 1st, 2nd, ... failed attempt; together more than 27 hours. The last repeats until max_age.
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
JITTER = 0.2  # a wait is lengthened by up to this share of itself
# No delivery waits longer for its next attempt.
MAX_WAIT: Micros = round(max(WAIT_SECONDS) * (1 + JITTER)) * SECOND
# A far side that says when to come back knows better than our list; after so many failures it has lost that trust,
# and the list's step is the least.
MAX_TRUSTED_FAILURES = 3

# Between the probes of an integration that cannot take anything now.
MIN_PROBE_INTERVAL: Micros = 5 * _MINUTE * SECOND
MAX_PROBE_INTERVAL: Micros = 1 * _HOUR * SECOND


def next_attempt(
    attempts: int, now: Micros, expires_at: Micros, retry_after: float | None, random: float
) -> Micros | None:
    """When to try again after `attempts` (1 or more) failed ones; None when the delivery is dead.

    expires_at: created + `[delivery] max_age` (moved on by the time a parked delivery stood still). retry_after:
    seconds that the far side asked for, or None. random: 0 to 1. A wait that would end after `expires_at` ends there
    instead, as the last attempt, unless the far side asked for a later time: then, as at `expires_at` itself, dead.
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
    """How long until the next probe of a failing integration, given the last interval (0: none yet)."""
    return MIN_PROBE_INTERVAL if interval <= 0 else min(interval * 2, MAX_PROBE_INTERVAL)


def _micros(seconds: float) -> Micros:
    """Rounded up: "not before" holds to the microsecond."""
    return math.ceil(seconds * SECOND)

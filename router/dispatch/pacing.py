"""How fast one webhook is posted to: a steady rate with a small burst, kept in one number.

The generic cell rate algorithm: `paced_at` (a BIGINT of the integration's row, microseconds) is the time at which
the webhook will have "caught up" with all that was sent. It is stored, so the pace holds over restarts and over any
number of deliver processes. Pure; called by `router.dispatch` inside the claim's transaction.
"""

from __future__ import annotations

from router.clock import SECOND
from router.model import Micros

# The longest that a webhook is held ahead of its pace: the clamp of Retry-After, with room. What lies further ahead
# was written before the clock was set back.
MAX_AHEAD: Micros = 2 * 3600 * SECOND


def send_interval(per_second: float) -> Micros:
    """The time from one message to the next at a steady pace; 0 where `[delivery] per_second` is 0 (unlimited).

    At most a day, which also is what the absurdly small rates mean.
    """
    return max(1, round(min(SECOND / per_second, 24 * 3600 * SECOND))) if per_second > 0 else 0


def admit(paced_at: Micros, now: Micros, per_second: float, burst: int) -> tuple[Micros, Micros]:
    """(wait, new paced_at): wait 0 means send now and store the new value; else ask again after so many microseconds.

    burst: how many may go at once after a rest, at least 1. An answer with a wait changes nothing. A `paced_at` that
    lies impossibly far ahead counts as "caught up now".
    """
    step = send_interval(per_second)
    slack = (max(burst, 1) - 1) * step
    caught_up = now if paced_at > now + slack + step + MAX_AHEAD else max(paced_at, now)
    wait = caught_up - slack - now
    return (wait, paced_at) if wait > 0 else (0, caught_up + step)


def paced_at_for(at: Micros, per_second: float, burst: int) -> Micros:
    """The `paced_at` with which nothing is admitted before `at`, and then one message at a time (after a 429)."""
    return at + (max(burst, 1) - 1) * send_interval(per_second)

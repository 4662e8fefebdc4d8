"""The arithmetic of a sliding window: the previous window's count, weighted by how much of it is still in sight, plus
the current one's (SPEC.md section 6). Pure; all in whole numbers, so that every process comes to the same answer.

A request at `now` is allowed when `previous * left / length + current + 1 <= limit`, `left` being what remains of the
current window. So no window's edge ever lets twice the limit through, and refused requests are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.clock import SECOND
from router.model import Micros


@dataclass(frozen=True, slots=True)
class RateLimit:
    """requests in every `seconds`; 0 is unlimited."""

    requests: int
    seconds: int

    @property
    def length(self) -> Micros:
        return self.seconds * SECOND


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """allowed, and the three figures of the headers: limit, remaining requests, reset (Unix seconds).

    retry_after: whole seconds after which one request is allowed if nobody else asks; 0 when allowed.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int = 0


def window_start(limit: RateLimit, now: Micros) -> int:
    """The current window's start, in Unix seconds."""
    return now // limit.length * limit.seconds


def window_limit(limit: RateLimit, previous: int, now: Micros) -> int:
    """How many requests the current window may hold at `now`, this one included."""
    remaining_time = limit.length - now % limit.length
    return (limit.requests * limit.length - previous * remaining_time) // limit.length


def limit_status(limit: RateLimit, previous: int, current: int, now: Micros, *, allowed: bool) -> RateLimitStatus:
    """The figures for the counts as they are after this request was counted, or refused."""
    maximum = window_limit(limit, previous, now)
    reset = window_start(limit, now) + limit.seconds
    if allowed:
        return RateLimitStatus(True, limit.requests, max(maximum - current, 0), reset)
    return RateLimitStatus(False, limit.requests, 0, reset, seconds_until_allowed(limit, previous, current, now))


def seconds_until_allowed(limit: RateLimit, previous: int, current: int, now: Micros) -> int:
    """Whole seconds, at least 1, after which a request is allowed when nothing else is counted until then."""
    length = limit.length
    time = now
    if current >= limit.requests:
        # Nothing helps within this window; in the next one this one is the previous.
        time = (now // length + 1) * length
        previous, current = current, 0
    if previous > 0:
        # previous * left / length + current + 1 <= requests, solved for what may be left of the window.
        remaining_time = (limit.requests - current - 1) * length // previous
        time = max(time, (time // length + 1) * length - remaining_time)
    return max(1, -((now - time) // SECOND))


def most_restrictive(statuses: list[RateLimitStatus]) -> RateLimitStatus | None:
    """The one to show: a refusal, else the one with the fewest requests left; None when nothing is limited."""
    return min(statuses, key=lambda status: (status.allowed, status.remaining, -status.retry_after), default=None)

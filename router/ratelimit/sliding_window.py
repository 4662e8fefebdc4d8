"""Sliding-window arithmetic: the count of the current window plus a weighted part of the previous window's count.

The weight prevents a client from making twice the allowed requests around the boundary of two windows. Pure; integer
arithmetic gives the same result in every process.
"""

from __future__ import annotations

from dataclasses import dataclass

from router.clock import SECOND
from router.model import Micros


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A limit of `requests` in each window of `seconds`. For a `RateLimiter`, 0 requests means no limit."""

    requests: int
    seconds: int

    @property
    def length(self) -> Micros:
        return self.seconds * SECOND


@dataclass(frozen=True, slots=True)
class RateLimitStatus:
    """The result for one request, and the values of the rate limit headers.

    Attributes:
        reset: The end of the window in Unix seconds.
        retry_after: Whole seconds until the request can be repeated; 0 if it is allowed.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int = 0


def window_start(limit: RateLimit, now: Micros) -> int:
    """Returns the start of the current window in Unix seconds."""
    return now // limit.length * limit.seconds


def window_limit(limit: RateLimit, previous: int, now: Micros) -> int:
    """Returns the maximum count that the current window may have at `now`."""
    remaining_time = limit.length - now % limit.length
    return (limit.requests * limit.length - previous * remaining_time) // limit.length


def limit_status(limit: RateLimit, previous: int, current: int, now: Micros, *, allowed: bool) -> RateLimitStatus:
    maximum = window_limit(limit, previous, now)
    reset = window_start(limit, now) + limit.seconds
    if allowed:
        return RateLimitStatus(True, limit.requests, max(maximum - current, 0), reset)
    return RateLimitStatus(False, limit.requests, 0, reset, seconds_until_allowed(limit, previous, current, now))


def seconds_until_allowed(limit: RateLimit, previous: int, current: int, now: Micros) -> int:
    """Returns the whole seconds until a request is allowed, at least 1, assuming that no other request is counted."""
    length = limit.length
    time = now
    if current >= limit.requests:
        # The current window is full. In the next window, its count is the previous count.
        time = (now // length + 1) * length
        previous, current = current, 0
    if previous > 0:
        # previous * remaining_time / length + current + 1 <= requests, solved for `remaining_time`.
        remaining_time = (limit.requests - current - 1) * length // previous
        time = max(time, (time // length + 1) * length - remaining_time)
    return max(1, -((now - time) // SECOND))


def most_restrictive(statuses: list[RateLimitStatus]) -> RateLimitStatus | None:
    """Returns the refusal with the longest wait, or else the status with the fewest remaining requests."""
    return min(statuses, key=lambda status: (status.allowed, status.remaining, -status.retry_after), default=None)

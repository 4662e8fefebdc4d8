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
class Limit:
    """requests in every `seconds`; 0 is unlimited."""

    requests: int
    seconds: int

    @property
    def length(self) -> Micros:
        return self.seconds * SECOND


@dataclass(frozen=True, slots=True)
class Verdict:
    """allowed, and the three figures of the headers: limit, remaining requests, reset (Unix seconds).

    retry_after: whole seconds after which one request is allowed if nobody else asks; 0 when allowed.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int
    retry_after: int = 0


def start_of(limit: Limit, now: Micros) -> int:
    """The current window's start, in Unix seconds."""
    return now // limit.length * limit.seconds


def bound(limit: Limit, previous: int, now: Micros) -> int:
    """How many requests the current window may hold at `now`, this one included."""
    left = limit.length - now % limit.length
    return (limit.requests * limit.length - previous * left) // limit.length


def verdict(limit: Limit, previous: int, current: int, now: Micros, *, allowed: bool) -> Verdict:
    """The figures for the counts as they are after this request was counted, or refused."""
    most = bound(limit, previous, now)
    reset = start_of(limit, now) + limit.seconds
    if allowed:
        return Verdict(True, limit.requests, max(most - current, 0), reset)
    return Verdict(False, limit.requests, 0, reset, retry_after(limit, previous, current, now))


def retry_after(limit: Limit, previous: int, current: int, now: Micros) -> int:
    """Whole seconds, at least 1, after which a request is allowed when nothing else is counted until then."""
    length = limit.length
    at = now
    if current >= limit.requests:
        # Nothing helps within this window; in the next one this one is the previous.
        at = (now // length + 1) * length
        previous, current = current, 0
    if previous > 0:
        # previous * left / length + current + 1 <= requests, solved for what may be left of the window.
        left = (limit.requests - current - 1) * length // previous
        at = max(at, (at // length + 1) * length - left)
    return max(1, -((now - at) // SECOND))


def nearer(verdicts: list[Verdict]) -> Verdict | None:
    """The one to show: a refusal, else the one with the fewest requests left; None when nothing is limited."""
    return min(verdicts, key=lambda v: (v.allowed, v.remaining, -v.retry_after), default=None)

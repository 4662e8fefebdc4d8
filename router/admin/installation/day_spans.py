"""The days and hours of a time zone as spans of time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

from router.local_time import first_second

_HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time from `start` up to, but not including, `end`, in milliseconds since the epoch."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class HourSpan(Span):
    """An hour of a day. `hour` is that of the local time: a day has 24 of them, or 23 or 25 if the clock changes."""

    date: date
    hour: int


def last_days(count: int, now_ms: int, zone: tzinfo) -> list[date]:
    """Returns the last `count` days, oldest first; the last one is today."""
    today = datetime.fromtimestamp(now_ms / 1000, zone).date()
    return [today - timedelta(days=n) for n in reversed(range(count))]


def day_span(day: date, zone: tzinfo) -> Span:
    return Span(first_second(day, zone) * 1000, first_second(day + timedelta(days=1), zone) * 1000)


def hour_spans(days: Sequence[date], zone: tzinfo) -> Iterator[HourSpan]:
    for day in days:
        whole = day_span(day, zone)
        for start in range(whole.start, whole.end, _HOUR_MS):
            hour = datetime.fromtimestamp(start / 1000, zone).hour
            yield HourSpan(start, min(start + _HOUR_MS, whole.end), day, hour)


def until_same_time(days_ago: int, now_ms: int, zone: tzinfo) -> tuple[date, Span]:
    """Returns an earlier day, and its part until the present time of day."""
    now = datetime.fromtimestamp(now_ms / 1000, zone)
    day = now.date() - timedelta(days=days_ago)
    end = int(datetime.combine(day, now.time(), zone).timestamp() * 1000)
    start = first_second(day, zone) * 1000
    return day, Span(start, max(end, start))

"""Times on the command line: a moment as ISO 8601, or as long before or after now as a duration says."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Literal

import click

from config.values import parse_duration
from router.clock import SystemClock, micros
from router.model import Micros

_EXPECTED = "must be a time like 2030-01-31 or 2030-01-31T12:00:00Z, or a duration like 90d, 12h or 10m"


class Moment(click.ParamType):
    """Microseconds since the epoch; a time without zone is UTC."""

    name = "time"

    def __init__(self, side: Literal["past", "future"]) -> None:
        self._sign = -1 if side == "past" else 1

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Micros:
        """Fails with what is allowed."""
        if isinstance(value, int):
            return value
        if not isinstance(value, str) or value.isdigit():  # seconds, a year, a day: nobody could tell
            self.fail(f"{value!r} {_EXPECTED}", param, ctx)
        try:
            return SystemClock().now() + self._sign * micros(parse_duration(value))
        except (ValueError, OverflowError):
            pass
        try:
            moment = datetime.fromisoformat(value)
            moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
            at = int(moment.timestamp()) * 1_000_000
        except (ValueError, OverflowError):
            self.fail(f"{value!r} {_EXPECTED}", param, ctx)
        return max(at, 0)


PAST = Moment("past")
FUTURE = Moment("future")

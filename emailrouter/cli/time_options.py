"""click callbacks for options with a time: ISO 8601, or a duration before or after now.

They return microseconds since the epoch, or None for an omitted option. An invalid value raises `click.BadParameter`.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from config.values import parse_duration
from router.clock import SystemClock, to_micros
from router.model import Micros

_EXPECTED_FORMATS = "must be a time like 2030-01-31 or 2030-01-31T12:00:00Z, or a duration like 90d, 12h or 10m"


def parse_past_time(_: click.Context, parameter: click.Parameter, value: str | None) -> Micros | None:
    return _parse_time(value, -1, parameter)


def parse_future_time(_: click.Context, parameter: click.Parameter, value: str | None) -> Micros | None:
    return _parse_time(value, 1, parameter)


def _parse_time(value: str | None, sign: int, parameter: click.Parameter) -> Micros | None:
    if value is None:
        return None
    if value.isdigit():  # ambiguous: a bare number may mean seconds, days or a year
        raise click.BadParameter(f"{value!r} {_EXPECTED_FORMATS}", param=parameter)
    try:
        return SystemClock().now() + sign * to_micros(parse_duration(value))
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"{value!r} {_EXPECTED_FORMATS}", param=parameter) from None
    # A time without an offset is UTC, as all printed times are.
    aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    since_epoch: timedelta = aware - datetime.fromtimestamp(0, UTC)
    return max(0, to_micros(since_epoch))

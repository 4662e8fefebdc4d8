"""The Date field (RFC 5322 section 3.3), also in the forms that mail programs write instead."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_tz

_DATE = re.compile(
    r"\s*(?:[A-Za-z]{3,9}\.?,?\s+)?(\d{1,2})\s+([A-Za-z]{3})[a-z]{0,6}\s+(\d{4})\s+(\d{1,2}):(\d\d)(?::(\d\d))?"
    r"(?:\.\d+)?\s+([+-])(\d\d):?(\d\d)"
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_MONTH_NAMES, 1)}
_LATEST = 4102444800  # 2100-01-01: a later Date is a mistake, or a way to the top of a list


def read_date(value: bytes) -> int | None:
    """A Date value (RFC 5322 section 3.3 and what is written instead) in microseconds since the epoch."""
    text = value[:256].decode("ascii", "replace")
    match = _DATE.match(text)
    try:
        if match:
            day, month, year, hour, minute, second, sign, zone_hours, zone_minutes = match.groups()
            zone = (int(zone_hours) * 60 + int(zone_minutes)) * (60 if sign == "+" else -60)
            when = (int(year), _MONTHS[month.lower()], int(day), int(hour), int(minute), int(second or 0))
        else:
            parts = parsedate_tz(text)
            if parts is None:
                return None
            when, zone = parts[:6], parts[9] or 0
        # A leap second is no mistake; `datetime` has none.
        moment = datetime(*when[:5], min(when[5], 59), tzinfo=UTC).timestamp() - zone
    except (ValueError, KeyError, IndexError, TypeError, OverflowError):
        return None
    return int(moment) * 1_000_000 if 0 <= moment < _LATEST else None

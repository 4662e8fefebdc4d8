"""Parses the Date field (RFC 5322 sections 3.3 and 4.3), including formats that do not conform to the RFC."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_TIME = (
    r"(?P<hour>\d{1,2})\s*[:.]\s*(?P<minute>\d\d)(?:\s*[:.]\s*(?P<second>\d\d)(?:[.,]\d{1,9})?)?"
    r"\s*(?P<meridiem>[AaPp][Mm]\b)?"
)
_ZONE = (
    r"(?:(?:GMT|UTC?)?(?P<sign>[+-])(?P<zone_hours>\d{1,2})(?::?(?P<zone_minutes>\d\d))?\b|(?P<zone>[A-Za-z]{1,5})\b)?"
)
_MONTH = r"(?P<month>[A-Za-z]{3})[a-z]{0,6}\.?"
_WEEKDAY = r"\s*(?:[^\W\d_]{1,12}\.?\s*,?\s*)?"
_PARTS = (
    *("year", "month", "day", "hour", "minute", "second", "meridiem"),
    *("sign", "zone_hours", "zone_minutes", "zone"),
)
_FORMATS = tuple(
    re.compile(pattern)
    for pattern in (
        # RFC 5322: Mon, 24 Aug 2026 16:37:00 +0200
        rf"{_WEEKDAY}(?P<day>\d{{1,2}})\.?[\s-]*{_MONTH},?[\s-]*(?P<year>\d{{2,4}}),?\s+{_TIME}\s*{_ZONE}",
        # JavaScript, and US English dates: Mon Aug 24 2026 16:37:00 GMT+0200
        rf"(?:[A-Za-z]{{3,9}},?\s+)?{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+(?P<year>\d{{4}}),?\s+{_TIME}\s*{_ZONE}",
        # git: Mon Aug 24 16:37:00 2026 +0200; asctime() writes the same without a zone
        rf"[A-Za-z]{{3,9}},?\s+{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_TIME}\s+(?P<year>\d{{4}})\b\s*{_ZONE}",
        # date(1): Mon Aug 24 16:37:00 CEST 2026
        rf"[A-Za-z]{{3,9}},?\s+{_MONTH}\s+(?P<day>\d{{1,2}})\s+{_TIME}\s*{_ZONE}\s*(?P<year>\d{{4}})\b",
        # ISO 8601: 2026-08-24T16:37:00+02:00
        rf"\s*(?P<year>\d{{4}})-(?P<month>\d\d)-(?P<day>\d\d)(?:T|\s+){_TIME}\s*{_ZONE}",
    )
)
_MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {pattern: number for number, name in enumerate(_MONTH_NAMES, 1) for pattern in (name, f"{number:02}")}
# Zone names of RFC 5322 section 4.3, and further names. Any other name counts as UTC, as section 4.3 recommends.
_ZONE_OFFSETS_MINUTES = {
    name: 60 * int(hours)
    for name, hours in (
        zone.split()
        for zone in (
            *("est -5", "edt -4", "cst -6", "cdt -5", "mst -7", "mdt -6", "pst -8", "pdt -7", "ast -4", "adt -3"),
            *("west 1", "cet 1", "cest 2", "met 1", "mest 2", "mez 1", "mesz 2", "eet 2", "eest 3", "msk 3"),
            *("hkt 8", "jst 9", "kst 9", "aest 10", "aedt 11", "nzst 12", "nzdt 13"),
        )
    )
}
_MAX_BYTES = 1024  # the rest of a Date is ignored; RFC 5322 allows comments of any length
_MAX_TIMESTAMP_SECONDS = 4102444800  # 2100-01-01, the end of the accepted range


def read_date(value: bytes) -> int | None:
    """Returns microseconds since the epoch, or None if the date is invalid or not in the years 1970 to 2099."""
    text = strip_comments(value[:_MAX_BYTES].decode("utf-8", "replace")).strip(" \t\"'")
    for pattern in _FORMATS:
        found = pattern.match(text)
        if found is not None:
            break
    else:
        return None
    # One call of `group` is faster than eleven.
    year, month, day, hour, minute, second, meridiem, sign, zone_hours, zone_minutes, zone = found.group(*_PARTS)
    try:
        moment = datetime(
            int(year) if len(year) == 4 else _expand_year(year),
            _MONTHS[month.lower()],
            int(day),
            _convert_12_hour(hour, meridiem) if meridiem else int(hour),
            int(minute),
            min(int(second), 59) if second else 0,  # `datetime` has no leap seconds
            tzinfo=UTC,
        )
    except (ValueError, KeyError):
        return None
    offset_minutes = _ZONE_OFFSETS_MINUTES.get(zone.lower(), 0) if zone else 0
    if sign:
        minutes = 60 * int(zone_hours) + int(zone_minutes or 0)
        offset_minutes = minutes if sign == "+" else -minutes
    seconds = int(moment.timestamp()) - 60 * offset_minutes
    return seconds * 1_000_000 if 0 <= seconds < _MAX_TIMESTAMP_SECONDS else None


def strip_comments(text: str) -> str:
    """Replaces each comment by a space (RFC 5322 section 3.2.2).

    Comments may be nested. A comment without an end is removed.
    """
    if "(" not in text:
        return text
    kept: list[str] = []
    depth = 0
    characters = iter(text)
    for character in characters:
        if character == "(":
            depth += 1
        elif depth and character == ")":
            depth -= 1
            kept.append(" " if depth == 0 else "")
        elif depth and character == "\\":
            next(characters, None)
        elif depth == 0:
            kept.append(character)
    return "".join(kept)


def _expand_year(digits: str) -> int:
    """Expands a year of two or three digits (RFC 5322 section 4.3)."""
    year = int(digits)
    return year + 2000 if len(digits) == 2 and year < 50 else year + 1900


def _convert_12_hour(digits: str, meridiem: str) -> int:
    hour = int(digits)
    return hour % 12 + (12 if meridiem.lower() == "pm" else 0) if 1 <= hour <= 12 else hour

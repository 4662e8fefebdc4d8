"""Formats times in a time zone and in the date format of a locale.

Opens only time zones that `zoneinfo` lists, so a configured name cannot select another file.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

from router.choice import Choice
from router.model import Micros, User, Workspace

DEFAULT_TIMEZONE = "UTC"
DEFAULT_LOCALE = "en"
# `localtime` is the time zone of the host, and `Factory` a placeholder.
_NOT_ZONES = frozenset({"localtime", "Factory"})
_AREAS = (
    "Africa/",
    "America/",
    "Antarctica/",
    "Arctic/",
    "Asia/",
    "Atlantic/",
    "Australia/",
    "Europe/",
    "Indian/",
    "Pacific/",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# The limits, in microseconds, between which `datetime` can represent a time in every zone.
_FIRST, _LAST = ((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for year in (2, 9999))


@dataclass(frozen=True, slots=True)
class _Format:
    """The date and time format of a locale.

    Attributes:
        months: The abbreviated month names, separated by spaces.
    """

    months: str
    date_template: str = "{day} {month} {year}"
    day_template: str = "{day} {month}"
    uses_12_hours: bool = False

    def render(self, template: str, value: dt.date) -> str:
        month = self.months.split()[value.month - 1]
        return template.format(day=value.day, month=month, year=value.year, number=value.month)

    def format_time(self, value: datetime, *, seconds: bool) -> str:
        minutes = f"{value:%M:%S}" if seconds else f"{value:%M}"
        if self.uses_12_hours:
            return f"{value.hour % 12 or 12}:{minutes} {'AM' if value.hour < 12 else 'PM'}"
        return f"{value:%H}:{minutes}"


_ENGLISH = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_FORMATS = {
    "en": _Format(_ENGLISH),
    "en-GB": _Format(_ENGLISH),
    "en-US": _Format(_ENGLISH, "{month} {day}, {year}", "{month} {day}", uses_12_hours=True),
    "de": _Format(_ENGLISH, "{day:02}.{number:02}.{year}", "{day}.{number}."),
    "es": _Format("ene feb mar abr may jun jul ago sept oct nov dic"),
    "fr": _Format("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
    "it": _Format("gen feb mar apr mag giu lug ago set ott nov dic"),
    "nl": _Format("jan feb mrt apr mei jun jul aug sep okt nov dec"),
    "pt": _Format(
        "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.", "{day} de {month} de {year}", "{day} de {month}"
    ),
}
LOCALE: Choice[str] = Choice("locale", tuple(_FORMATS))


@cache
def timezone_names() -> frozenset[str]:
    """Returns all valid time zone names. The first call reads the zone directories."""
    return frozenset(zoneinfo.available_timezones() - _NOT_ZONES)


@cache
def offered_timezones() -> tuple[str, ...]:
    """Returns the time zone names for selection lists: UTC and the names that start with a continent or ocean."""
    return (DEFAULT_TIMEZONE, *sorted(name for name in timezone_names() if name.startswith(_AREAS)))


def get_zone(name: str | None) -> tzinfo:
    """Returns the zone with this name; UTC for None or an unknown name."""
    return _load_zone(name) if name in timezone_names() else UTC


def first_second(day: dt.date, zone: tzinfo) -> int:
    """Returns when a day begins, in seconds since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


@cache
def _load_zone(name: str) -> tzinfo:
    """Loads a zone. `name` must be in `timezone_names()`, whose length limits the size of the cache."""
    return zoneinfo.ZoneInfo(name)


def zone_label(local: datetime) -> str:
    """Returns the zone's abbreviation at this time, such as `CET`.

    For a zone without an abbreviation, returns the offset, such as `UTC+05:45`.
    """
    return f"{local:%Z}" if f"{local:%Z}".isalpha() else f"UTC{local.isoformat()[-6:]}"


@dataclass(frozen=True, slots=True)
class LocalTime:
    """The time zone and locale for showing times to one user."""

    timezone: str = DEFAULT_TIMEZONE
    locale: str = DEFAULT_LOCALE

    @classmethod
    def for_user(cls, user: User | None, workspace: Workspace) -> LocalTime:
        return cls((user.timezone if user is not None else None) or workspace.timezone, workspace.locale)

    @property
    def zone(self) -> tzinfo:
        return get_zone(self.timezone)

    def format_date(self, at: Micros) -> str:
        """Returns the date, such as `1 Jan 2030`."""
        return self._format.render(self._format.date_template, self._to_local(at))

    def format_minute(self, at: Micros) -> str:
        """Returns the date and time without seconds, such as `1 Jan 2030, 13:00 CET`."""
        return self._render(at, seconds=False)

    def format_second(self, at: Micros) -> str:
        """Returns the date and time with seconds, such as `1 Jan 2030, 13:00:03 CET`."""
        return self._render(at, seconds=True)

    def format_clock(self, at: Micros) -> str:
        """Returns the time of day, such as `13:00`."""
        return self._format.format_time(self._to_local(at), seconds=False)

    def format_hour(self, hour: int) -> str:
        """Returns a full hour, such as `13:00`."""
        return self._format.format_time(datetime(1970, 1, 1, hour, tzinfo=UTC), seconds=False)

    def is_same_day(self, at: Micros, other: Micros) -> bool:
        return self.date_of(at) == self.date_of(other)

    def date_of(self, at: Micros) -> dt.date:
        return self._to_local(at).date()

    def format_day(self, day: dt.date) -> str:
        """Returns the date without the year, such as `1 Jan`."""
        return self._format.render(self._format.day_template, day)

    @property
    def _format(self) -> _Format:
        return _FORMATS.get(self.locale, _FORMATS[DEFAULT_LOCALE])

    def _render(self, at: Micros, *, seconds: bool) -> str:
        local = self._to_local(at)
        date_text = self._format.render(self._format.date_template, local)
        return f"{date_text}, {self._format.format_time(local, seconds=seconds)} {zone_label(local)}"

    def _to_local(self, at: Micros) -> datetime:
        return (_EPOCH + timedelta(microseconds=min(max(at, _FIRST), _LAST))).astimezone(self.zone)


UTC_TIME = LocalTime()

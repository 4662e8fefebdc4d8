"""Times as a user reads them: in a time zone and in the date format of a locale.

Guarantees that a name selects a zone of the IANA time zone database and never a file of its own: only names that the
database lists are opened. Each zone is read once and kept. The locale formats dates alone; texts stay in English.
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache

from router.model import Micros, User, Workspace

DEFAULT_TIMEZONE = "UTC"
DEFAULT_LOCALE = "en"
# Names that zone directories contain but that identify no zone: the host's own setting, and a placeholder.
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
# 1 January of the years 2 and 9999: `datetime` can represent these in every zone.
_FIRST, _LAST = ((datetime(year, 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1) for year in (2, 9999))


@dataclass(frozen=True, slots=True)
class _Format:
    """The medium formats of the Unicode CLDR. months: their abbreviations, with spaces between."""

    months: str
    date_template: str = "{day} {month} {year}"
    day_template: str = "{day} {month}"
    has_12_hours: bool = False

    def render(self, template: str, value: dt.date) -> str:
        month = self.months.split()[value.month - 1]
        return template.format(day=value.day, month=month, year=value.year, number=value.month)

    def clock(self, value: datetime, *, seconds: bool) -> str:
        minutes = f"{value:%M:%S}" if seconds else f"{value:%M}"
        if self.has_12_hours:
            return f"{value.hour % 12 or 12}:{minutes} {'AM' if value.hour < 12 else 'PM'}"
        return f"{value:%H}:{minutes}"


_ENGLISH = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"
_FORMATS = {
    "en": _Format(_ENGLISH),
    "en-GB": _Format(_ENGLISH),
    "en-US": _Format(_ENGLISH, "{month} {day}, {year}", "{month} {day}", has_12_hours=True),
    "de": _Format(_ENGLISH, "{day:02}.{number:02}.{year}", "{day}.{number}."),
    "es": _Format("ene feb mar abr may jun jul ago sept oct nov dic"),
    "fr": _Format("janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc."),
    "it": _Format("gen feb mar apr mag giu lug ago set ott nov dic"),
    "nl": _Format("jan feb mrt apr mei jun jul aug sep okt nov dec"),
    "pt": _Format(
        "jan. fev. mar. abr. mai. jun. jul. ago. set. out. nov. dez.", "{day} de {month} de {year}", "{day} de {month}"
    ),
}
LOCALES: tuple[str, ...] = tuple(_FORMATS)


@cache
def timezone_names() -> frozenset[str]:
    """Every name that may be chosen. Reads the zone directories once in a process (about 20 ms)."""
    return frozenset(zoneinfo.available_timezones() - _NOT_ZONES)


@cache
def offered_timezones() -> tuple[str, ...]:
    """The names to choose from: UTC, then regions; the old names are known but not offered."""
    return (DEFAULT_TIMEZONE, *sorted(name for name in timezone_names() if name.startswith(_AREAS)))


def zone(name: str | None) -> tzinfo:
    """The zone of this name. UTC for None and for a name that this host's database lacks."""
    return _zone(name) if name in timezone_names() else UTC


@cache
def _zone(name: str) -> tzinfo:
    """Kept for the process: the names are those of the database, so there is a bounded number of them."""
    return zoneinfo.ZoneInfo(name)


@dataclass(frozen=True, slots=True)
class LocalTime:
    """How times are shown to one user. timezone: the name; UTC and English dates unless something else is chosen."""

    timezone: str = DEFAULT_TIMEZONE
    locale: str = DEFAULT_LOCALE

    @classmethod
    def of_user(cls, user: User | None, workspace: Workspace) -> LocalTime:
        """The user's time zone, else the workspace's; the locale is always the workspace's."""
        return cls((user.timezone if user is not None else None) or workspace.timezone, workspace.locale)

    @property
    def zone(self) -> tzinfo:
        return zone(self.timezone)

    def date(self, at: Micros) -> str:
        """`1 Jan 2030`."""
        return self._format.render(self._format.date_template, self._local(at))

    def minute(self, at: Micros) -> str:
        """`1 Jan 2030, 13:00 CET`."""
        return self._render(at, seconds=False)

    def second(self, at: Micros) -> str:
        """`1 Jan 2030, 13:00:03 CET`."""
        return self._render(at, seconds=True)

    def day(self, day: dt.date) -> str:
        """`1 Jan`."""
        return self._format.render(self._format.day_template, day)

    @property
    def _format(self) -> _Format:
        return _FORMATS.get(self.locale, _FORMATS[DEFAULT_LOCALE])

    def _render(self, at: Micros, *, seconds: bool) -> str:
        local = self._local(at)
        date_text = self._format.render(self._format.date_template, local)
        return f"{date_text}, {self._format.clock(local, seconds=seconds)} {local:%Z}"

    def _local(self, at: Micros) -> datetime:
        """Times outside the calendar of `datetime` become its first or last ones."""
        return (_EPOCH + timedelta(microseconds=min(max(at, _FIRST), _LAST))).astimezone(self.zone)


UTC_TIME = LocalTime()

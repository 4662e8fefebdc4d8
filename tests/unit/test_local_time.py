"""Times in a user's time zone and date format."""

import datetime as dt

import pytest

from router.admin import validation
from router.clock import SECOND
from router.errors import Refused
from router.local_time import LOCALE, LocalTime, get_zone, offered_timezones, timezone_names
from router.model import User, Workspace

WINTER = int(dt.datetime(2030, 1, 1, 12, 0, 3, tzinfo=dt.UTC).timestamp()) * SECOND
SUMMER = int(dt.datetime(2030, 7, 1, 22, 5, tzinfo=dt.UTC).timestamp()) * SECOND


def workspace(timezone: str = "UTC", locale: str = "en") -> Workspace:
    return Workspace("ws_1", "Acme", None, 0, 0, timezone, locale)


def user(timezone: str | None) -> User:
    return User("user_1", "ws_1", "ada@example.org", "Ada", "agent", None, 0, None, timezone)


@pytest.mark.parametrize(
    ("local", "minute"),
    [
        (LocalTime(), "1 Jul 2030, 22:05 UTC"),
        (LocalTime("Europe/Berlin"), "2 Jul 2030, 00:05 CEST"),
        (LocalTime("Asia/Kathmandu"), "2 Jul 2030, 03:50 UTC+05:45"),
        (LocalTime("America/Sao_Paulo"), "1 Jul 2030, 19:05 UTC-03:00"),
        (LocalTime("America/New_York", "en-US"), "Jul 1, 2030, 6:05 PM EDT"),
        (LocalTime("Europe/Berlin", "en-US"), "Jul 2, 2030, 12:05 AM CEST"),
        (LocalTime("Europe/Berlin", "de"), "02.07.2030, 00:05 CEST"),
        (LocalTime("Europe/Lisbon", "pt"), "1 de jul. de 2030, 23:05 WEST"),
        (LocalTime("Europe/Paris", "fr"), "2 juil. 2030, 00:05 CEST"),
    ],
)
def test_minutes(local: LocalTime, minute: str) -> None:
    assert local.format_minute(SUMMER) == minute


def test_seconds_dates_and_days() -> None:
    berlin = LocalTime("Europe/Berlin")
    assert berlin.format_second(WINTER) == "1 Jan 2030, 13:00:03 CET"
    assert LocalTime("UTC", "en-US").format_second(WINTER) == "Jan 1, 2030, 12:00:03 PM UTC"
    assert berlin.format_date(SUMMER) == "2 Jul 2030"
    assert LocalTime(locale="de").format_day(dt.date(2030, 7, 1)) == "1.7."
    assert LocalTime(locale="en-US").format_day(dt.date(2030, 7, 1)) == "Jul 1"


@pytest.mark.parametrize("locale", LOCALE.values)
def test_every_locale_has_twelve_months(locale: str) -> None:
    days = {LocalTime(locale=locale).format_day(dt.date(2030, month, 28)) for month in range(1, 13)}
    assert len(days) == 12


@pytest.mark.parametrize("at", [-(10**18), 0, 10**18])
def test_times_outside_the_calendar_are_clamped(at: int) -> None:
    assert LocalTime("Pacific/Kiritimati").format_minute(at)


def test_time_zone_of_the_user_overrides_the_workspace() -> None:
    acme = workspace("Europe/Berlin", "de")
    assert LocalTime.for_user(user("Asia/Tokyo"), acme) == LocalTime("Asia/Tokyo", "de")
    assert LocalTime.for_user(user(None), acme) == LocalTime("Europe/Berlin", "de")
    assert LocalTime.for_user(None, acme) == LocalTime("Europe/Berlin", "de")


@pytest.mark.parametrize(
    "name",
    ["", "Mars", "localtime", "Factory", "../../etc/passwd", "/etc/localtime", "Europe", "europe/berlin", "a\0b"],
)
def test_invalid_time_zones(name: str) -> None:
    assert get_zone(name) is dt.UTC
    with pytest.raises(Refused) as refused:
        validation.validate_timezone(name)
    assert refused.value.message == "timezone must be an IANA time zone such as Europe/Berlin"


def test_every_offered_time_zone_can_be_loaded() -> None:
    assert offered_timezones()[0] == "UTC"
    assert set(offered_timezones()) <= timezone_names()
    for name in timezone_names():
        assert LocalTime(name).format_minute(WINTER)
    assert get_zone("Europe/Berlin") is get_zone("Europe/Berlin")
    assert get_zone(None) is dt.UTC

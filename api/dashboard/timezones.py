"""Options of the form fields for time zones and date formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from router.local_time import LOCALE, LocalTime, offered_timezones
from router.model import Micros, User, Workspace


class TimezoneChange(TypedDict):
    """The parameters of `UserService.change` for the time zone."""

    timezone: str | None
    clear_timezone: bool


def timezone_names(current: str) -> list[str]:
    """Returns the selectable time zones, and the current one even if its name is obsolete."""
    offered = offered_timezones()
    return [*offered] if current in offered else [current, *offered]


def timezone_options(user: User, workspace: Workspace) -> list[tuple[str, str]]:
    """Returns (value, label) pairs. The empty value selects the time zone of the workspace."""
    workspace_default = ("", f"Workspace default ({workspace.timezone})")
    return [workspace_default, *((name, name) for name in timezone_names(user.timezone or workspace.timezone))]


def locale_options(now: Micros) -> list[tuple[str, str]]:
    return [(locale, f"{LocalTime(locale=locale).format_date(now)} ({locale})") for locale in LOCALE.values]


def timezone_change(form: Mapping[str, str]) -> TimezoneChange:
    timezone = form.get("timezone")
    return {"timezone": timezone or None, "clear_timezone": timezone == ""}

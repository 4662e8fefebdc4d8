"""Time zones and date formats as choices of a form."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypedDict

from router.local_time import LOCALES, LocalTime, offered_timezones
from router.model import Micros, User, Workspace


class TimezoneChange(TypedDict):
    """Parameters of `Users.change`."""

    timezone: str | None
    clear_timezone: bool


def timezone_names(current: str) -> list[str]:
    """The names on offer, and the current one where it is none of them."""
    offered = offered_timezones()
    return [*offered] if current in offered else [current, *offered]


def timezone_options(user: User, workspace: Workspace) -> list[tuple[str, str]]:
    """Values and labels for a user: first the workspace's time zone, whose value is empty."""
    workspace_default = ("", f"Workspace default ({workspace.timezone})")
    return [workspace_default, *((name, name) for name in timezone_names(user.timezone or workspace.timezone))]


def locale_options(now: Micros) -> list[tuple[str, str]]:
    """Values and labels: each locale with today's date in its format."""
    return [(locale, f"{LocalTime(locale=locale).date(now)} ({locale})") for locale in LOCALES]


def timezone_change(form: Mapping[str, str]) -> TimezoneChange:
    """What the form changes: nothing where the field is missing."""
    timezone = form.get("timezone")
    return {"timezone": timezone or None, "clear_timezone": timezone == ""}

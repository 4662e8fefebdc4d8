"""Messages that report what a form did, on the page that is shown next, with a button that undoes it.

The query string of that page names the message. It contains no text, so a link cannot make the dashboard say anything.
The parameters begin with `note`, and app.js removes them from the address of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from api.dashboard.page import Redirect

_KEY, _NUMBER, _UNDO, _UNDO_PATH = "note", "note-number", "note-undo", "note-back"
_MAX_DIGITS = 12
_EVENT_PREFIX = "evt_"


@dataclass(frozen=True, slots=True)
class Flash:
    """A message.

    Attributes:
        is_pending: Whether it reports a step that is not finished.
        is_failure: Whether it reports that something was not done.
        undo: The text with the events to undo, for `parse_events`; "" for none.
        undo_path: The page to open after the change is undone.
    """

    text: str
    is_pending: bool
    is_failure: bool
    undo: str
    undo_path: str


def add_flash(outcome: Redirect) -> str:
    """Returns the path of the redirect, with the parameters of its message."""
    if not outcome.flash:
        return outcome.path
    path, _, fragment = outcome.path.partition("#")
    given = {
        _KEY: outcome.flash,
        _NUMBER: "" if outcome.number is None else str(outcome.number),
        _UNDO: _format_events(outcome.undo),
        _UNDO_PATH: outcome.undo_path,
    }
    path += "&" if urlsplit(path).query else "?"
    path += urlencode({name: value for name, value in given.items() if value}, safe="/")
    return f"{path}#{fragment}" if fragment else path


def read_flash(messages: Mapping[str, str], path: str, query: Mapping[str, str]) -> Flash | None:
    """Returns the message of the page at `path`, if any.

    Messages whose key ends in `-waits` or `-failed` have a colour of their own.
    """
    key, number = query.get(_KEY, ""), query.get(_NUMBER, "")
    text = messages.get(key, "")
    if "{n}" in text:
        text = text.replace("{n}", number) if number.isdecimal() and len(number) <= _MAX_DIGITS else ""
    if not text:
        return None
    return Flash(
        text=text,
        is_pending=key.endswith("-waits"),
        is_failure=key.endswith("-failed"),
        undo=query.get(_UNDO, ""),
        undo_path=query.get(_UNDO_PATH, "") or path_without_flash(path, query),
    )


def parse_events(text: str) -> list[str]:
    """Returns the ids of events from `Flash.undo`, which the client may have changed."""
    return [f"{_EVENT_PREFIX}{part}" for part in text.split(".") if part]


def path_without_flash(path: str, query: Mapping[str, str]) -> str:
    """Returns the path of a page with its query string, so that it does not show its message again."""
    kept = {name: value for name, value in query.items() if not name.startswith(_KEY)}
    return f"{path}?{urlencode(kept)}" if kept else path


def _format_events(event_ids: Sequence[str]) -> str:
    """Returns a short text, because the parameters of 200 events must fit in a request line (`api.server`)."""
    return ".".join(event_id.removeprefix(_EVENT_PREFIX) for event_id in event_ids)

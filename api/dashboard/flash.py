"""Messages that report what a form did, on the page that is shown next, with a button that undoes it.

The query string of that page names the message. It contains no text, so a link cannot make the dashboard say anything.
The parameters begin with `note`, and app.js removes them from the address of the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from urllib.parse import urlencode, urlsplit

from api.dashboard.page import Redirect

_KEY, _NUMBER, _UNDO, _UNDO_PATH = "note", "note-number", "note-undo", "note-back"
_MAX_DIGITS = 12
_MAX_PARTS = 6  # messages that are shown together
_EVENT_PREFIX, _TICKET_PREFIX = "evt_", "ticket_"
# The paths of the forms that undo changes: by their events, or the spam marks of tickets.
UNDO = "/tickets/undo"
UNDO_SPAM, UNDO_NOT_SPAM = "/tickets/undo-spam", "/tickets/undo-not-spam"


@dataclass(frozen=True, slots=True)
class Flash:
    """A message.

    Attributes:
        is_pending: Whether it reports a step that is not finished.
        is_failure: Whether it reports that something was not done.
        undo: The text with the events to undo, for `parse_events`, or with tickets, for `parse_tickets`; "" for none.
        undo_action: The path of the form that undoes it.
        undo_path: The page to open after the change is undone.
    """

    text: str
    is_pending: bool
    is_failure: bool
    undo: str
    undo_path: str
    undo_action: str = UNDO


def add_flash(outcome: Redirect) -> str:
    """Returns the path of the redirect, with the parameters of its message."""
    if not outcome.flash:
        return outcome.path
    path, _, fragment = outcome.path.partition("#")
    parts = [(outcome.flash, outcome.number), *outcome.also]
    given = {
        _KEY: ".".join(key for key, _ in parts),
        _NUMBER: ".".join("" if number is None else str(number) for _, number in parts),
        _UNDO: _format_ids(outcome.undo),
        _UNDO_PATH: outcome.undo_path,
    }
    path += "&" if urlsplit(path).query else "?"
    path += urlencode({name: value for name, value in given.items() if value}, safe="/")
    return f"{path}#{fragment}" if fragment else path


def read_flash(messages: Mapping[str, str], path: str, query: Mapping[str, str]) -> Flash | None:
    """Returns the messages of the page at `path` as one, if any.

    Messages whose key ends in `-waits` or `-failed` have a colour of their own.
    """
    keys = query.get(_KEY, "").split(".")[:_MAX_PARTS]
    texts = [
        _fill_in(messages.get(key, ""), number)
        for key, number in zip_longest(keys, query.get(_NUMBER, "").split(".")[: len(keys)], fillvalue="")
    ]
    if not all(texts):
        return None
    return Flash(
        text=" ".join(texts),
        is_pending=any(key.endswith("-waits") for key in keys),
        is_failure=any(key.endswith("-failed") for key in keys),
        undo=query.get(_UNDO, ""),
        undo_path=query.get(_UNDO_PATH, "") or path_without_flash(path, query),
        undo_action=_undo_action(keys[0]),
    )


def _fill_in(text: str, number: str) -> str:
    """Returns a message with its number; "" if it has none."""
    if "{n}" not in text:
        return text
    return text.replace("{n}", number) if number.isdecimal() and len(number) <= _MAX_DIGITS else ""


def _undo_action(key: str) -> str:
    """Returns the path of the form that undoes what a message reports: the keys about spam begin with the mark."""
    if key.startswith("not-spam-"):
        return UNDO_NOT_SPAM
    return UNDO_SPAM if key.startswith("spam-") else UNDO


def parse_events(text: str) -> list[str]:
    """Returns the ids of events from `Flash.undo`, which the client may have changed."""
    return _parse_ids(_EVENT_PREFIX, text)


def parse_tickets(text: str) -> list[str]:
    """Returns the ids of tickets from `Flash.undo`, which the client may have changed."""
    return _parse_ids(_TICKET_PREFIX, text)


def _parse_ids(prefix: str, text: str) -> list[str]:
    return [f"{prefix}{part}" for part in text.split(".") if part]


def path_without_flash(path: str, query: Mapping[str, str]) -> str:
    """Returns the path of a page with its query string, so that it does not show its message again."""
    kept = {name: value for name, value in query.items() if not name.startswith(_KEY)}
    return f"{path}?{urlencode(kept)}" if kept else path


def _format_ids(ids: Sequence[str]) -> str:
    """Returns a short text, because the parameters of 200 events must fit in a request line (`api.server`)."""
    return ".".join(each.partition("_")[2] for each in ids)

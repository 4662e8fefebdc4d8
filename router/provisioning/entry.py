"""Entries of a workspace document: their base class, errors and comparison with current values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict

from router.errors import Refused

K = TypeVar("K")
V = TypeVar("V")
# Maps names to old and new values.
Differences = dict[str, tuple[object, object]]


class EntryModel(BaseModel):
    """Base of the tables of a document."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)


class InvalidDocument(Refused):
    """The document is invalid; the message states the location and the problem."""

    def __init__(self, message: str) -> None:
        super().__init__("invalid_request", message)


def index_unique(section: str, key: str, pairs: Iterable[tuple[K, V]]) -> dict[K, V]:
    """Indexes entries by key. Raises `InvalidDocument` for a duplicate."""
    entries: dict[K, V] = {}
    for n, (name, entry) in enumerate(pairs, start=1):
        if name in entries:
            text = "@".join(reversed(name)) if isinstance(name, tuple) else name
            raise InvalidDocument(f"{section}[{n}]{f'.{key}' if key else ''}: {text} is listed twice")
        entries[name] = entry
    return entries


def normalize(rule: Callable[[str], str], text: str, location: str) -> str:
    """Applies a validation rule. Raises `InvalidDocument` with the location instead of `Refused`."""
    try:
        return rule(text)
    except Refused as refused:
        raise InvalidDocument(f"{location}: {refused.message}") from None


def differences(**pairs: tuple[object, object]) -> Differences:
    """Returns the pairs of an old and a new value that differ."""
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def format_differences(changed: Differences) -> str:
    return ", ".join(f"{name}: {_format_value(old)} -> {_format_value(new)}" for name, (old, new) in changed.items())


def _format_value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value) if value not in (None, "") else "none"

"""Lists in pages: newest first, stable while rows are added, from any page of any age.

Ids sort by time, so a page is "the newest before this id" and its cursor is that id: nothing shifts when rows come
or go. Cursors are opaque to clients. Pure; called by the use cases.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from router import ids
from router.errors import Refused

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and where it goes on; None at its end."""

    items: tuple[T, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class PageRequest:
    """What to ask the database for: `most` rows (one more than the page holds) before an id."""

    before: str
    limit: int

    @property
    def row_limit(self) -> int:
        return self.limit + 1

    def to_page(self, rows: Sequence[T], key: Callable[[T], str]) -> Page[T]:
        """The page that these rows are; the one too many says that there is more."""
        items = tuple(rows[: self.limit])
        return Page(items, encode_cursor(key(items[-1])) if len(rows) > self.limit else None)


def page_request(prefix: ids.Prefix, limit: int, cursor: str | None) -> PageRequest:
    """Raises `Refused` for a limit out of bounds and for a cursor that no list of this kind gave out."""
    if cursor is None:
        # Above every id: the first of its characters is never more than 7.
        return PageRequest(f"{prefix}_{'z' * 26}", _validate_limit(limit))
    before = decode_cursor(cursor)
    if not ids.looks_valid(before, prefix):
        raise _invalid_cursor()
    return PageRequest(before, _validate_limit(limit))


def encode_cursor(position: str) -> str:
    """The cursor for a place in a list."""
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """The place; raises `Refused` for what is no cursor."""
    try:
        if len(cursor) > 500:
            raise _invalid_cursor()
        place = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _invalid_cursor() from None
    if "\0" in place:  # PostgreSQL stores no NUL; no list has one
        raise _invalid_cursor()
    return place


def _validate_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise Refused("invalid_request", f"limit must be between 1 and {MAX_LIMIT}", "limit")
    return limit


def _invalid_cursor() -> Refused:
    return Refused("invalid_request", "cursor is not valid for this list", "cursor")

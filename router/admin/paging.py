"""Pagination by cursor: stable while rows are added or removed. Pure.

A cursor encodes the position of the last row of its page, usually the id. Cursors never expire.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from router import ids
from router.enumerations import IdPrefix
from router.errors import Refused

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page of a list. `next_cursor` is None on the last page.

    An incomplete page has fewer entries than requested, maybe none, although more may follow: a search ended early.
    """

    items: tuple[T, ...]
    next_cursor: str | None
    is_incomplete: bool = False


@dataclass(frozen=True, slots=True)
class PageRequest:
    """A request for up to `limit` rows that follow `position` in the order of the list."""

    position: str
    limit: int

    @property
    def row_limit(self) -> int:
        """One more than the page size, to detect a next page."""
        return self.limit + 1

    def to_page(self, rows: Sequence[T], key: Callable[[T], str], *, searched_to: str | None = None) -> Page[T]:
        """Makes a page of up to `row_limit` rows.

        Args:
            key: Returns the position of a row in the list, usually its id.
            searched_to: The position at which a search ended early, if any.
        """
        items = tuple(rows[: self.limit])
        if len(rows) > self.limit:
            return Page(items, encode_cursor(key(items[-1])))
        is_incomplete = searched_to is not None and len(items) < self.limit
        return Page(items, searched_to and encode_cursor(searched_to), is_incomplete)


def page_request(prefix: IdPrefix, limit: int, cursor: str | None) -> PageRequest:
    """Requests a page of a list that is ordered by id, newest first."""
    if cursor is None:
        # Greater than any id, because the first character of an id after its prefix is at most 7.
        return PageRequest(f"{prefix}_{'z' * 26}", _validate_limit(limit))
    before = decode_cursor(cursor)
    if not ids.is_well_formed(before, prefix):
        raise _invalid_cursor()
    return PageRequest(before, _validate_limit(limit))


def alphabetical_page_request(limit: int, cursor: str | None) -> PageRequest:
    """Requests a page of a list that is ordered by text."""
    return PageRequest("" if cursor is None else decode_cursor(cursor), _validate_limit(limit))


def encode_cursor(position: str) -> str:
    return base64.urlsafe_b64encode(position.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Raises `Refused` for a malformed cursor."""
    try:
        if len(cursor) > 500:
            raise _invalid_cursor()
        position = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        raise _invalid_cursor() from None
    if "\0" in position:  # PostgreSQL rejects NUL, and no position contains it
        raise _invalid_cursor()
    return position


def _validate_limit(limit: int) -> int:
    if not 1 <= limit <= MAX_LIMIT:
        raise Refused("invalid_request", f"limit must be between 1 and {MAX_LIMIT}", "limit")
    return limit


def _invalid_cursor() -> Refused:
    return Refused("invalid_request", "cursor is not valid for this list", "cursor")

"""Tables that fit the terminal. Pure.

A table that is too wide omits optional columns and shortens cells. It never shortens a cell that another command takes
as an argument, such as an ID or an address: those columns are declared without `shorten`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
# Narrower cells would not be recognisable.
MIN_SHORTENED_WIDTH = 12
# An optional column is omitted if it would make the shortened cells narrower.
COMFORTABLE_WIDTH = 30
_GAP = "  "
# Vowels and final consonants of Hangul, which terminals draw into the cell of the initial consonant.
_HANGUL_JOINING = range(0x1160, 0x1200)
_ZERO_WIDTH_CATEGORIES = ("Mn", "Me", "Cf")
_CAMEL_CASE = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ABBREVIATIONS = {"id": "ID", "url": "URL", "mx": "MX", "txt": "TXT", "dns": "DNS", "smtp": "SMTP", "ok": "OK"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a list.

    Attributes:
        shorten: Whether long cells may be shortened.
        optional: Whether the column is omitted if the table is too wide. The last optional column is omitted first.
        is_time: Whether the cells are times, which are displayed to the minute if the table is not wide.
    """

    heading: str
    field: str
    shorten: bool = False
    optional: bool = False
    is_time: bool = False


def display_width(text: str) -> int:
    """Returns the number of terminal cells that a text without control characters occupies."""
    if text.isascii():
        return len(text)
    return sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in _ZERO_WIDTH_CATEGORIES or ord(character) in _HANGUL_JOINING:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def shorten(text: str, width: int) -> str:
    """Returns the text, or as much of its start as fits into `width` cells together with an ellipsis.

    Combining marks stay with their letter.
    """
    if display_width(text) <= width:
        return text
    used = 0
    for position, character in enumerate(text):
        used += _character_width(character)
        if used > width - 1:
            return f"{text[:position].rstrip()}{ELLIPSIS}"
    return text


def render_table(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int | None) -> Iterator[str]:
    """Yields the lines of a table, first the headings. `width` is None for every column and every cell in full."""
    headings = [column.heading for column in columns]
    natural = [max(map(display_width, cells)) for cells in zip(headings, *rows, strict=True)]
    widths = natural if width is None else _fit(columns, natural, width)
    for row in (headings, *rows):
        cells = [_pad(shorten(cell, limit), limit) for cell, limit in zip(row, widths, strict=True) if limit]
        yield _GAP.join(cells).rstrip()


def _pad(text: str, width: int) -> str:
    return text + " " * (width - display_width(text))


def _fit(columns: Sequence[Column], natural: Sequence[int], width: int) -> list[int]:
    """Returns the width of each column; 0 for an omitted one.

    The total exceeds `width` only if the columns that are neither optional nor shortened need more.
    """
    least, comfortable = (
        [
            min(size, max(limit, display_width(column.heading))) if column.shorten else size
            for column, size in zip(columns, natural, strict=True)
        ]
        for limit in (MIN_SHORTENED_WIDTH, COMFORTABLE_WIDTH)
    )
    required = [size for column, size in zip(columns, comfortable, strict=True) if not column.optional]
    optional = [index for index, column in enumerate(columns) if column.optional]
    kept = next(
        count
        for count in range(len(optional), -1, -1)
        if not count or _total([*required, *(comfortable[index] for index in optional[:count])]) <= width
    )
    omitted = optional[kept:]
    widths = [0 if index in omitted else size for index, size in enumerate(least)]
    free = width - _total(widths)
    # The narrowest column grows first, so that the space is shared evenly.
    growing = [index for index, size in enumerate(widths) if 0 < size < natural[index]]
    while free > 0 and growing:
        index = min(growing, key=lambda each: widths[each])
        widths[index] += 1
        free -= 1
        growing = [each for each in growing if widths[each] < natural[each]]
    return widths


def _total(widths: Sequence[int]) -> int:
    shown = [size for size in widths if size]
    return sum(shown) + len(_GAP) * (len(shown) - 1)


def minutes(time: str) -> str:
    """Returns a time in the form of the API to the minute: `2026-11-30 09:36Z`."""
    return f"{time[:16].replace('T', ' ')}Z"


def label(field: str) -> str:
    """Returns the name of a field for people: `Assigned to` for `assignedTo`."""
    words = [_ABBREVIATIONS.get(word.lower(), word.lower()) for word in _CAMEL_CASE.sub(" ", field).split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:]

"""Classifies how the sender of a message styled its sanitised HTML: whether it has a layout, and its colours.

Only the first `MAX_EXAMINED_LENGTH` characters are examined, so the time is bounded.
"""

from __future__ import annotations

import re
from itertools import chain
from typing import Literal

from router.mail.html_sanitizer import REMOTE

MAX_EXAMINED_LENGTH = 65_536

ColorUse = Literal["none", "light", "dark", "adaptive"]
"""Who decides the colours of a message: `none`, the reader's program; `light` or `dark`, the message, on a background
of that kind; `adaptive`, the message, for light and dark mode."""

_STYLE_END = "</style>"
# The background of a layout: of a table, of its parts, or of a link that looks like a button.
_LAYOUT_BACKGROUND = re.compile(
    r"<(?:table|tbody|tr|td|th|a)\b[^<>]*?(?:\bbgcolor=\"|\bbackground(?:-color)?:)\s*(?P<color>[^;\"]+)"
)
_RULED_TABLE = re.compile(
    r"<(?:table|td|th|tr)\b[^<>]*?(?:\bborder=\"[1-9]|\bborder(?:-\w+)?:[^;\"]*\bsolid\b)|<th[ >]"
)
_WIDE_PICTURE = re.compile(r"<img\b[^<>]*?(?:\bwidth=\"|[\";]width:)(?:[3-9]\d\d|\d{4,5})(?:px)?[\";]")
_REMOTE_IMAGE = re.compile(rf'<img\b[^<>]*? src="{REMOTE}[^<>]*>')
_PIXEL = re.compile(r' (?:width|height)="[01](?:px)?"')
_CELL = re.compile(r"<t[dh][ >]")
_MIN_RULED_CELLS = 6
_OWN_COLOR = re.compile(r"""(?:[ ";{]|-)color[:=]|\bbgcolor=|[";{]background:""")
_OUTER_BACKGROUND = re.compile(
    r"\s*(?:<(?:div|span|center|table|tbody|tr|td)\b[^<>]*?>\s*){0,6}?"
    r"<(?:div|span|center|table|tr|td)\b[^<>]*?(?:\bbgcolor=\"|\bbackground(?:-color)?:)\s*(?P<color>[^;\"]+)"
)
_ADAPTIVE = re.compile(r"prefers-color-scheme|color-scheme:")
_HEX = re.compile(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", re.IGNORECASE)
_RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})")
_DARK_NAMES = re.compile(
    r"\b(?:black|navy|dark(?:blue|green|red|slateblue|slategr[ae]y)|maroon|midnightblue|indigo)\b", re.IGNORECASE
)
_COLORLESS = frozenset({"", "transparent", "none", "inherit", "initial", "unset", "white"})
_DARK_LIGHTNESS, _WHITE_LIGHTNESS = 0.35, 0.995


def split_style_sheet(html: str) -> tuple[str, str]:
    """Returns the style sheet at the start of sanitised HTML, or `""`, and the remaining HTML."""
    if not html.startswith("<style>"):
        return "", html
    sheet, _, rest = html[len("<style>") :].partition(_STYLE_END)
    return sheet, rest


def has_layout(html: str) -> bool:
    """Whether the message loses information as text: it has coloured areas, a ruled table or a wide picture.

    Newsletters, invoices and receipts have, a conversation has not.
    """
    _, body = split_style_sheet(html)
    body = body[:MAX_EXAMINED_LENGTH]
    outer = _OUTER_BACKGROUND.match(body)
    backgrounds = chain([outer] if outer else [], _LAYOUT_BACKGROUND.finditer(body))
    if any(not _is_colorless(found["color"]) for found in backgrounds):
        return True
    if _WIDE_PICTURE.search(body):
        return True
    cells = _CELL.finditer(body)
    has_cells = next((True for n, _ in enumerate(cells, 1) if n >= _MIN_RULED_CELLS), False)
    return has_cells and _RULED_TABLE.search(body) is not None


def has_remote_images(html: str) -> bool:
    """Whether the message has remote images other than invisible ones, which only report that it was read."""
    return any(not is_pixel(match[0]) for match in _REMOTE_IMAGE.finditer(html))


def is_pixel(tag: str) -> bool:
    """Whether an image is at most one pixel wide or high."""
    return _PIXEL.search(tag) is not None


def color_use(html: str) -> ColorUse:
    sheet, body = split_style_sheet(html)
    if _ADAPTIVE.search(sheet):
        return "adaptive"
    body = body[:MAX_EXAMINED_LENGTH]
    if not _OWN_COLOR.search(body) and not _OWN_COLOR.search(sheet):
        return "none"
    outer = _OUTER_BACKGROUND.match(body)
    lightness = None if outer is None else _lightness(outer["color"])
    return "dark" if lightness is not None and lightness < _DARK_LIGHTNESS else "light"


def _is_colorless(value: str) -> bool:
    """Whether a background is transparent or white."""
    lightness = _lightness(value)
    return value.strip().lower() in _COLORLESS if lightness is None else lightness > _WHITE_LIGHTNESS


def _lightness(value: str) -> float | None:
    """Returns the relative brightness of the first colour of a value from 0 to 1, None if it is not known."""
    if found := _HEX.search(value):
        digits = found[1] if len(found[1]) == 6 else "".join(digit * 2 for digit in found[1])
        channels = [int(digits[n : n + 2], 16) for n in (0, 2, 4)]
    elif found := _RGB.search(value):
        channels = [min(255, int(channel)) for channel in found.groups()]
    else:
        return 0.0 if _DARK_NAMES.search(value) else None
    red, green, blue = channels
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255

"""Reduces CSS declarations to those that style the content of a message in place.

The result loads nothing, and covers or moves no other content: `url()`, positions, transforms, generated content and
negative lengths are dropped. Lengths that depend on the height of the viewport are dropped too, because the dashboard
fits the height of the frame to its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from router.mail.html_style import HIDDEN, MAX_STYLE_LENGTH, canonical_style, split_declarations

MAX_VALUE_LENGTH = 200
_MAX_CACHED_LENGTH = 512


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SIDES = ("top", "right", "bottom", "left")
_PROPERTIES = (
    _name_set(
        "color background background-color font font-family font-size font-style font-weight font-variant line-height "
        "letter-spacing word-spacing text-align text-decoration text-decoration-line text-decoration-color "
        "text-decoration-style text-indent text-transform vertical-align word-break word-wrap overflow-wrap direction "
        "width min-width max-width height min-height margin padding border border-color border-style border-width "
        "border-radius border-collapse border-spacing box-sizing caption-side clear display float list-style "
        "list-style-position list-style-type table-layout color-scheme"
    )
    | {f"{name}-{side}" for name in ("margin", "padding", "border") for side in _SIDES}
    | {f"border-{side}-{name}" for name in ("color", "style", "width") for side in _SIDES}
)
# A style sheet may also hide content, for example on small screens.
_SHEET_PROPERTIES = _PROPERTIES | _name_set("white-space visibility")
_DISPLAYS = _name_set(
    "block inline inline-block list-item table inline-table table-row table-cell table-row-group table-header-group "
    "table-footer-group table-column table-column-group table-caption flex inline-flex"
)
_FUNCTIONS = _name_set("rgb rgba hsl hsla linear-gradient radial-gradient")
URL = re.compile(r"url\([^)]*+\)?+", re.IGNORECASE)
_VALUE = re.compile(rf"[\w#%.,+/ '()-]{{1,{MAX_VALUE_LENGTH}}}")
_FUNCTION = re.compile(r"([\w-]*)\(")
_NEGATIVE = re.compile(r"(?<![\w#)-])-\s*+[\d.]")
_VIEWPORT_LENGTH = re.compile(r"\d[sld]?v(?:w|h|i|b|min|max)\b")
# System colours depend on the mode, but the colours beside them do not.
_SYSTEM_COLOR = re.compile(
    r"\b(?:window(?:text|frame)?|canvas(?:text)?|button(?:face|text|border)|field(?:text)?|(?:link|visited|active|gray|"
    r"info|menu|caption)text|highlight(?:text)?)\b"
)
_IMPORTANT = re.compile(r" ?! ?important\Z")
_SPACES = re.compile(r"\s+")


def safe_style(style: str) -> str:
    """Returns the safe declarations of a `style` attribute, `HIDDEN` alone for a hidden element.

    The declarations of `canonical_style` are included unchanged; no other declaration equals one of them.
    """
    return _safe_style_cached(style) if len(style) <= _MAX_CACHED_LENGTH else _safe_style(style)


# Mail programs repeat a few styles in every cell and paragraph.
@lru_cache(maxsize=512)
def _safe_style_cached(style: str) -> str:
    return _safe_style(style)


def _safe_style(style: str) -> str:
    canonical = canonical_style(style)
    if canonical == HIDDEN:
        return HIDDEN
    found = safe_declarations(split_declarations(style[:MAX_STYLE_LENGTH]))
    return ";".join([*found, canonical] if canonical else found)


def safe_declarations(declarations: Iterable[str], *, is_sheet: bool = False) -> list[str]:
    """Returns the safe ones of the declarations, the last one of each property.

    Args:
        is_sheet: Whether the declarations are those of a style sheet, which may be important and may hide content.
    """
    kept: dict[str, str] = {}
    for declaration in declarations:
        name, _, value = declaration.partition(":")
        name = name.strip().lower()
        if name not in (_SHEET_PROPERTIES if is_sheet else _PROPERTIES):
            continue
        value = _SPACES.sub(" ", value.replace('"', "'").lower()).strip()
        important = _IMPORTANT.search(value)
        bare = _safe_value(name, value[: important.start()] if important else value, is_sheet=is_sheet)
        if bare:
            kept.pop(name, None)
            kept[name] = f"{bare}!important" if is_sheet and important else bare
    return [f"{name}:{value}" for name, value in kept.items()]


def _safe_value(name: str, value: str, *, is_sheet: bool) -> str:
    """Returns the value, `""` if it is not safe."""
    if "url(" in value and name in ("background", "list-style"):
        value = _SPACES.sub(" ", URL.sub(" ", value)).strip()
    if (
        _VALUE.fullmatch(value) is None
        or not _FUNCTIONS.issuperset(_FUNCTION.findall(value))
        or value.count("(") != value.count(")")
        or value.count("'") % 2
        or _NEGATIVE.search(value)
        or ("color" in name and _SYSTEM_COLOR.search(value))
        or _VIEWPORT_LENGTH.search(value)
    ):
        return ""
    if name == "display" and value not in _DISPLAYS and not (is_sheet and value == "none"):
        return ""
    if name.startswith("text-decoration") and value == "line-through" and not is_sheet:
        return ""  # `canonical_style` returns it
    return "0" if name == "border" and value == "none" else value

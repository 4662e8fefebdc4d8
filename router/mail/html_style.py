"""Reduces a `style` attribute to visibility, white space, strikethrough and the indentation that editors write.

`MAX_STYLE_LENGTH` limits the time. The cascade only applies within one attribute (CSS Cascade 4, section 6), because
style sheets are not read.
"""

from __future__ import annotations

import re
from functools import lru_cache

HIDDEN = "display:none"
INVISIBLE, VISIBLE = "visibility:hidden", "visibility:visible"
STRUCK = "text-decoration:line-through"
INDENTED = "border:none"
"""The style of a `blockquote` that editors insert to indent text, not to quote."""
MAX_STYLE_LENGTH = 16384  # the rest of a longer style is ignored

_MAX_CACHED_LENGTH = 512

_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
# Possessive quantifiers prevent backtracking.
_DECLARATION = re.compile(r"""(?:[^;"'()]++|"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|\([^()]*+\)?+|\))++""")
_IMPORTANT = re.compile(r"(?<!\s)\s*+!\s*+important\Z")
_KEYWORDS = re.compile(r"-?[a-z][a-z-]*(?: +-?[a-z][a-z-]*)*")
_INDENT = re.compile(r"(?:0(?:px)? ){3}40px")
_ZERO_LENGTH = re.compile(r"[+-]?(?:0+(?:\.0*)?|\.0+)(?:[a-z]{1,4})?")
_LENGTH = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[a-z]{1,4}|%)?|none|auto|[a-z-]+(?:\([^()]*\))?")
# Reduced values by keyword of `white-space` (CSS Text 3 and 4), including older keywords.
_WHITE_SPACE = {
    "normal": "normal",
    "nowrap": "normal",
    "initial": "normal",
    "collapse": "normal",
    "wrap": "normal",
    "pre": "pre",
    "pre-wrap": "pre-wrap",
    "preserve": "pre-wrap",
    "break-spaces": "pre-wrap",
    "-moz-pre-wrap": "pre-wrap",
    "-o-pre-wrap": "pre-wrap",
    "-pre-wrap": "pre-wrap",
    "pre-line": "pre-line",
    "preserve-breaks": "pre-line",
}
_SPACE_WORD = f"(?:{'|'.join(_WHITE_SPACE)}|inherit|unset|revert)"
_SPACE_WORDS = re.compile(f"{_SPACE_WORD}(?: +{_SPACE_WORD})*")
_VALID = {
    "display": _KEYWORDS,
    "visibility": _KEYWORDS,
    "opacity": re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)%?|[a-z-]+"),
    "max-height": _LENGTH,
    "overflow": _KEYWORDS,
    "overflow-y": _KEYWORDS,
    "white-space": _SPACE_WORDS,
    "white-space-collapse": _SPACE_WORDS,
    "border": re.compile(r"[^;]*"),
    "margin": re.compile(r"[^;]*"),
    "text-decoration": re.compile(r".*"),
    "text-decoration-line": _KEYWORDS,
}
_CLIPPING_OVERFLOW = frozenset({"hidden", "clip", "scroll", "auto"})


def canonical_style(style: str) -> str:
    """Returns `HIDDEN` for a hidden element, otherwise the reduced declarations separated by `;`.

    Returns `""` if no declaration remains.
    """
    return _reduce_cached(style) if len(style) <= _MAX_CACHED_LENGTH else _reduce(style)


# Mail programs repeat a few styles in every cell and paragraph.
@lru_cache(maxsize=512)
def _reduce_cached(style: str) -> str:
    return _reduce(style)


def _reduce(style: str) -> str:
    declared = _parse_declarations(style)
    if not declared:
        return ""
    if declared.get("display") == "none" or _is_transparent(declared.get("opacity", "")) or _is_collapsed(declared):
        return HIDDEN
    declarations = []
    if visibility := declared.get("visibility"):
        if visibility in ("hidden", "collapse"):
            declarations.append(INVISIBLE)
        elif visibility in ("visible", "initial"):
            declarations.append(VISIBLE)
    if white_space := _white_space(declared):
        declarations.append(f"white-space:{white_space}")
    if "line-through" in f"{declared.get('text-decoration', '')} {declared.get('text-decoration-line', '')}".split():
        declarations.append(STRUCK)
    if "none" in declared.get("border", "").split() and _INDENT.fullmatch(declared.get("margin", "")):
        declarations.append(INDENTED)
    return ";".join(declarations)


def split_declarations(style: str) -> list[str]:
    return _DECLARATION.findall(_COMMENT.sub(" ", style))


def _parse_declarations(style: str) -> dict[str, str]:
    found: dict[str, str] = {}
    important: set[str] = set()
    for declaration in split_declarations(style[:MAX_STYLE_LENGTH]):
        name, _, value = declaration.partition(":")
        name, value = name.strip().lower(), value.strip().lower()
        if name not in _VALID:
            continue
        bare = _IMPORTANT.sub("", value)
        if _VALID[name].fullmatch(bare) is None or (name in important and bare == value):
            continue
        if bare != value:
            important.add(name)
        found[name] = bare
    return found


def _is_transparent(opacity: str) -> bool:
    number = opacity.removesuffix("%")
    try:
        return bool(number) and float(number) <= 0
    except ValueError:
        return False


def _is_collapsed(declared: dict[str, str]) -> bool:
    overflow = f"{declared.get('overflow', '')} {declared.get('overflow-y', '')}".split()
    has_no_height = _ZERO_LENGTH.fullmatch(declared.get("max-height", "")) is not None
    return has_no_height and not _CLIPPING_OVERFLOW.isdisjoint(overflow)


def _white_space(declared: dict[str, str]) -> str:
    """Returns `normal`, `pre`, `pre-wrap` or `pre-line`, `""` if inherited."""
    words = f"{declared.get('white-space-collapse', '')} {declared.get('white-space', '')}".split()
    found = [_WHITE_SPACE[word] for word in words if word in _WHITE_SPACE]
    return next((white_space for white_space in found if white_space != "normal"), found[0] if found else "")

"""Normalises, measures and truncates untrusted text for all channels.

Lengths are in UTF-16 code units, which are at least as many as code points. Pure; every function takes linear time.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from router.unicode_security import safe_line

ELLIPSIS = "\u2026"
_NO_ESCAPES: Mapping[str, str] = {}

# Control characters except tab and line ends, embeddings, overrides and isolates (UAX #9), U+FEFF and annotation marks.
_REMOVED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
_ZWJ = "\u200d"
_MAX_CLUSTER_LENGTH = 32  # code points; crafted text can have unlimited combining marks


@dataclass(frozen=True, slots=True)
class Markup:
    """The markup of a service, and how text avoids it.

    Attributes:
        escapes: The sequence for each character with a meaning. The characters are in the Basic Multilingual Plane.
        pattern: What the sequences do not cover; replaced by `replacement` before.
    """

    escapes: Mapping[str, str]
    pattern: re.Pattern[str]
    replacement: str

    def escape(self, text: str, limit: int) -> str:
        """Escapes text, and truncates it so that the result has at most `limit` UTF-16 units."""
        return self.escape_characters(truncate(self.replace_pattern(text), limit, self.escapes))

    def replace_pattern(self, text: str) -> str:
        return self.pattern.sub(self.replacement, text)

    def escape_characters(self, text: str) -> str:
        if not any(character in text for character in self.escapes):
            return text  # `translate` takes far longer
        return text.translate({ord(character): sequence for character, sequence in self.escapes.items()})


NO_MARKUP = Markup({}, re.compile("(?!)"), "")


def utf16_length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def normalize_text(text: str) -> str:
    r"""Removes harmful characters, converts line endings to `\n`, and limits consecutive empty lines to two."""
    text = _REMOVED.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n\n", _SURROGATES.sub("\ufffd", text)).strip()


def normalize_line(text: str) -> str:
    """Normalises text to one line without characters that make a name deceptive."""
    return _WHITESPACE.sub(" ", safe_line(normalize_text(text))).strip()


def truncate(text: str, limit: int, escapes: Mapping[str, str] = _NO_ESCAPES) -> str:
    """Truncates longer text to `limit` UTF-16 units, including a final `ELLIPSIS`.

    Combining sequences, emoji sequences and flags of usual length are not split.

    Args:
        escapes: The limit applies to the text after each of these characters is replaced by its sequence.
    """
    if _escaped_length(text, escapes) <= limit:
        return text
    end = _fitting_characters(text, limit - utf16_length(ELLIPSIS), escapes)
    return text[: _grapheme_boundary(text, end)].rstrip() + ELLIPSIS


def _escaped_length(text: str, escapes: Mapping[str, str]) -> int:
    return utf16_length(text) + sum(
        text.count(character) * (utf16_length(sequence) - 1) for character, sequence in escapes.items()
    )


def _fitting_characters(text: str, limit: int, escapes: Mapping[str, str]) -> int:
    """Returns how many characters at the start of a longer text have at most `limit` UTF-16 units after escaping."""
    start = text[: max(limit, 0)]
    if _escaped_length(start, escapes) <= limit:
        return len(start)
    lengths = {character: utf16_length(sequence) for character, sequence in escapes.items()}
    remaining = limit
    for end, character in enumerate(start):
        remaining -= lengths.get(character, 2 if character > "\uffff" else 1)
        if remaining < 0:
            return end
    return len(start)


def _grapheme_boundary(text: str, end: int) -> int:
    """Returns the last grapheme cluster boundary up to `end`, or `end` within an unusually long cluster."""
    position = end
    while position > 0 and end - position < _MAX_CLUSTER_LENGTH and _is_inside_grapheme(text, position):
        position -= 1
    return position if position == 0 or not _is_inside_grapheme(text, position) else end


def _is_inside_grapheme(text: str, position: int) -> bool:
    before, after = text[position - 1], text[position]
    if _ZWJ in (before, after) or unicodedata.category(after)[0] == "M":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":  # skin tones, flag tags
        return True
    if not (_is_regional_indicator(before) and _is_regional_indicator(after)):
        return False
    run = position
    while run > 0 and position - run <= _MAX_CLUSTER_LENGTH and _is_regional_indicator(text[run - 1]):
        run -= 1
    return (position - run) % 2 == 1  # two regional indicators form a flag


def _is_regional_indicator(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"

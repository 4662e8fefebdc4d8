"""Block Kit elements built from untrusted text.

Untrusted text goes into `plain_text` objects and `rich_text` elements, which Slack never parses; only `escape` produces
text for fields that Slack does parse. Lengths are in UTF-16 code units, which are at least as many as code points.
Pure.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from router.unicode_security import safe_line

Element = dict[str, Any]

MAX_TEXT = 3000  # characters; Slack's limit for one text object
ELLIPSIS = "\u2026"

# Control characters except tab and line ends, embeddings, overrides and isolates (UAX #9), U+FEFF and annotation marks.
_REMOVED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
# A word joiner after the @ prevents mentions of a whole channel.
_MASS_MENTION = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_ESCAPE_SEQUENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_ZWJ = "\u200d"
_MAX_CLUSTER_LENGTH = 32  # code points; crafted text can have unlimited combining marks


def utf16_length(text: str) -> int:
    return len(text) + sum(character > "\uffff" for character in text)


def normalize_text(text: str) -> str:
    r"""Removes harmful characters, converts line endings to `\n`, and limits consecutive empty lines to two."""
    text = _REMOVED.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n\n", _SURROGATES.sub("\ufffd", text)).strip()


def normalize_line(text: str) -> str:
    """Normalises text to one line without characters that make a name deceptive."""
    return _WHITESPACE.sub(" ", safe_line(normalize_text(text))).strip()


def truncate(text: str, limit: int) -> str:
    """Truncates longer text to `limit` UTF-16 units, including a final `ELLIPSIS`.

    Combining sequences, emoji sequences and flags of usual length are not split.
    """
    if len(text) * 2 <= limit or utf16_length(text) <= limit:
        return text
    remaining = limit - utf16_length(ELLIPSIS)
    end = 0
    for character in text:
        remaining -= 2 if character > "\uffff" else 1
        if remaining < 0:
            break
        end += 1
    return text[: _grapheme_boundary(text, end)].rstrip() + ELLIPSIS


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


def escape(text: str, limit: int) -> str:
    """Escapes text for fields that Slack parses, disables mass mentions, and truncates to `limit` UTF-16 units."""
    text = _MASS_MENTION.sub("@\u2060", text)
    if utf16_length(text) + sum(text.count(special) * 4 for special in _ESCAPE_SEQUENCES) > limit:
        kept, remaining = 0, limit - 1
        for character in text:
            remaining -= utf16_length(_ESCAPE_SEQUENCES.get(character, character))
            if remaining < 0:
                break
            kept += 1
        if kept < len(text):
            text = text[: _grapheme_boundary(text, kept)].rstrip() + ELLIPSIS
    return "".join(_ESCAPE_SEQUENCES.get(character, character) for character in text)


def header_block(text: str) -> Element:
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def text_element(content: str, *, bold: bool = False) -> Element:
    """Builds a text element; `content` must not be empty."""
    return {"type": "text", "text": content} | ({"style": {"bold": True}} if bold else {})


def link_element(url: str, content: str) -> Element:
    """Builds a link element; only for URLs of this installation."""
    return {"type": "link", "url": url, "text": content}


def section_element(elements: Sequence[Element]) -> Element:
    return {"type": "rich_text_section", "elements": list(elements)}


def quote_element(content: str) -> Element:
    """Builds a quotation, so that untrusted text cannot imitate the lines around it."""
    return {"type": "rich_text_quote", "elements": [text_element(content)]}


def bullet_list(items: Sequence[Sequence[Element]]) -> Element:
    return {"type": "rich_text_list", "style": "bullet", "elements": [section_element(item) for item in items]}


def rich_text_block(parts: Sequence[Element]) -> Element:
    return {"type": "rich_text", "elements": list(parts)}


def field_elements(pairs: Sequence[tuple[str, str]]) -> Iterator[Element]:
    """Yields `label: value` lines with bold labels."""
    for index, (label, value) in enumerate(pairs):
        yield text_element(("\n" if index else "") + f"{label}:", bold=True)
        yield text_element(f" {value}")

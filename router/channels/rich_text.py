"""Block Kit pieces made of text that strangers wrote, so that it stays text.

It promises: no string comes out of here with control characters, direction overrides or lone surrogates, none longer
than asked, none of zero length, and none cut inside a character as people see it. Lengths are UTF-16 units, the
strictest way of counting that Slack could mean. What holds a stranger's words is `plain_text` or an element of a
`rich_text` block, which Slack never parses; only `escape` makes text for the places that Slack does parse.
It never makes a `mrkdwn` object. Pure; called by `router.channels.slack` alone.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

from router.unicode_security import shown_line

Element = dict[str, Any]

MAX_TEXT = 3000  # Slack's limit for one text
ELLIPSIS = "\u2026"

# Embeddings, overrides and isolates (UAX 9) can turn our own words around; LRM, RLM and ALM only help Arabic and
# Hebrew. Interlinear marks and the byte order mark are no text either.
_REMOVED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_WHITESPACE = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
# Tags that mention everybody where text is parsed with names linked; a word joiner after the sign stops that.
_MASS_MENTION = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_ESCAPE_SEQUENCES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # Hangul fillers, a Braille pattern without dots
_ZWJ = "\u200d"
_MAX_CLUSTER_LENGTH = 32  # code points that a cut steps back at most: crafted text has marks without end


def utf16_length(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def normalize_text(text: str) -> str:
    """Several lines of text: harmless characters, `\\n` as the line end, never more than two empty lines."""
    text = _REMOVED.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n\n", _SURROGATES.sub("\ufffd", text)).strip()


def normalize_line(text: str) -> str:
    """One line of text: as `body`, every run of white space a single space, nothing that deceives about a name."""
    return _WHITESPACE.sub(" ", shown_line(normalize_text(text))).strip()


def truncate(text: str, limit: int) -> str:
    """`text` in at most `most` UTF-16 units, ending in `ELLIPSIS` where something is missing.

    Not cut between a character and its marks, in a joined or flag emoji, or in a CR LF.
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
    """The nearest place at or before `end` that does not split a character as people see it."""
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
    return (position - run) % 2 == 1  # flags are pairs: an odd number before this place means one is open


def _is_regional_indicator(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def escape(text: str, limit: int) -> str:
    """For the places that Slack parses (the top-level `text`): cut to `most` units after escaping; mentions nobody."""
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
    """A header block; `text` is a line that fits."""
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def text_element(content: str, *, bold: bool = False) -> Element:
    """A text element; `words` is not empty and fits."""
    return {"type": "text", "text": content} | ({"style": {"bold": True}} if bold else {})


def link_element(url: str, content: str) -> Element:
    """A link element: for URLs of our own making only."""
    return {"type": "link", "url": url, "text": content}


def section_element(elements: Sequence[Element]) -> Element:
    """A paragraph of a rich text block."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote_element(content: str) -> Element:
    """A stranger's words as a quotation: what is set apart cannot pass for a line of ours."""
    return {"type": "rich_text_quote", "elements": [text_element(content)]}


def bullet_list(items: Sequence[Sequence[Element]]) -> Element:
    """A list; each item is a paragraph."""
    return {"type": "rich_text_list", "style": "bullet", "elements": [section_element(item) for item in items]}


def rich_text_block(parts: Sequence[Element]) -> Element:
    """A rich text block."""
    return {"type": "rich_text", "elements": list(parts)}


def field_elements(pairs: Sequence[tuple[str, str]]) -> Iterator[Element]:
    """`label: value` lines of one paragraph, the label bold."""
    for index, (label, value) in enumerate(pairs):
        yield text_element(("\n" if index else "") + f"{label}:", bold=True)
        yield text_element(f" {value}")

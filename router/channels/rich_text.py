"""Block Kit pieces made of text that strangers wrote, so that it stays text.

It promises: no string comes out of here with control characters, direction overrides or lone surrogates, none longer
than asked, none of zero length, and none cut inside a character as people see it. Lengths are UTF-16 units, the
strictest way of counting that Slack could mean. What holds a stranger's words is `plain_text` or an element of a
`rich_text` block, which Slack never parses; only `escaped` makes text for the places that Slack does parse.
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
_DROPPED = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb]+")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SURROGATES = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"\s+")
_BLANK_LINES = re.compile(r"\n(?:[^\S\n]*\n){2,}")
# Tags that mention everybody where text is parsed with names linked; a word joiner after the sign stops that.
_EVERYBODY = re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE)
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # Hangul fillers, a Braille pattern without dots
_ZWJ = "\u200d"
_LONGEST_CLUSTER = 32  # code points that a cut steps back at most: crafted text has marks without end


def units(text: str) -> int:
    """The length in UTF-16 units."""
    return len(text) + sum(character > "\uffff" for character in text)


def body(text: str) -> str:
    """Several lines of text: harmless characters, `\\n` as the line end, never more than two empty lines."""
    text = _DROPPED.sub("", _LINE_ENDS.sub("\n", text))
    return _BLANK_LINES.sub("\n\n\n", _SURROGATES.sub("\ufffd", text)).strip()


def line(text: str) -> str:
    """One line of text: as `body`, every run of white space a single space, nothing that deceives about a name."""
    return _SPACES.sub(" ", shown_line(body(text))).strip()


def cut(text: str, most: int) -> str:
    """`text` in at most `most` UTF-16 units, ending in `ELLIPSIS` where something is missing.

    Not cut between a character and its marks, in a joined or flag emoji, or in a CR LF.
    """
    if len(text) * 2 <= most or units(text) <= most:
        return text
    left = most - units(ELLIPSIS)
    end = 0
    for character in text:
        left -= 2 if character > "\uffff" else 1
        if left < 0:
            break
        end += 1
    return text[: _boundary(text, end)].rstrip() + ELLIPSIS


def _boundary(text: str, end: int) -> int:
    """The nearest place at or before `end` that does not split a character as people see it."""
    place = end
    while place > 0 and end - place < _LONGEST_CLUSTER and _joined(text, place):
        place -= 1
    return place if place == 0 or not _joined(text, place) else end


def _joined(text: str, place: int) -> bool:
    before, after = text[place - 1], text[place]
    if _ZWJ in (before, after) or unicodedata.category(after)[0] == "M":
        return True
    if "\U0001f3fb" <= after <= "\U0001f3ff" or "\U000e0020" <= after <= "\U000e007f":  # skin tones, flag tags
        return True
    if not (_regional(before) and _regional(after)):
        return False
    run = place
    while run > 0 and place - run <= _LONGEST_CLUSTER and _regional(text[run - 1]):
        run -= 1
    return (place - run) % 2 == 1  # flags are pairs: an odd number before this place means one is open


def _regional(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def escaped(text: str, most: int) -> str:
    """For the places that Slack parses (the top-level `text`): cut to `most` units after escaping; mentions nobody."""
    text = _EVERYBODY.sub("@\u2060", text)
    if units(text) + sum(text.count(sign) * 4 for sign in _ESCAPES) > most:
        kept, left = 0, most - 1
        for character in text:
            left -= units(_ESCAPES.get(character, character))
            if left < 0:
                break
            kept += 1
        if kept < len(text):
            text = text[: _boundary(text, kept)].rstrip() + ELLIPSIS
    return "".join(_ESCAPES.get(character, character) for character in text)


def header(text: str) -> Element:
    """A header block; `text` is a line that fits."""
    return {"type": "header", "text": {"type": "plain_text", "text": text, "emoji": False}}


def text(words: str, *, bold: bool = False) -> Element:
    """A text element; `words` is not empty and fits."""
    return {"type": "text", "text": words} | ({"style": {"bold": True}} if bold else {})


def link(url: str, words: str) -> Element:
    """A link element: for URLs of our own making only."""
    return {"type": "link", "url": url, "text": words}


def section(elements: Sequence[Element]) -> Element:
    """A paragraph of a rich text block."""
    return {"type": "rich_text_section", "elements": list(elements)}


def quote(words: str) -> Element:
    """A stranger's words as a quotation: what is set apart cannot pass for a line of ours."""
    return {"type": "rich_text_quote", "elements": [text(words)]}


def bullets(items: Sequence[Sequence[Element]]) -> Element:
    """A list; each item is a paragraph."""
    return {"type": "rich_text_list", "style": "bullet", "elements": [section(item) for item in items]}


def rich(parts: Sequence[Element]) -> Element:
    """A rich text block."""
    return {"type": "rich_text", "elements": list(parts)}


def rows(pairs: Sequence[tuple[str, str]]) -> Iterator[Element]:
    """`label: value` lines of one paragraph, the label bold."""
    for number, (label, value) in enumerate(pairs):
        yield text(("\n" if number else "") + f"{label}:", bold=True)
        yield text(f" {value}")

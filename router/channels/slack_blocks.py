"""Block Kit elements built from untrusted text.

Untrusted text goes into `plain_text` objects and `rich_text` elements, which Slack never parses; only `MARKUP`
escapes text for fields that Slack does parse. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from router.channels.untrusted_text import Markup

Element = dict[str, Any]

MAX_TEXT = 3000  # characters; Slack's limit for one text object

# For fields that Slack parses. A word joiner after the @ prevents mentions of a whole channel.
MARKUP = Markup(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;"}, re.compile(r"@(?=channel|here|everyone)", re.IGNORECASE), "@\u2060"
)


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

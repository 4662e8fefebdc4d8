"""HTML without what no reader sees, so that a bound cuts less of what they do.

The results are read by the sanitiser like any other HTML, so nothing here makes HTML safe. Time is linear.
"""

from __future__ import annotations

import re
from html import unescape

from router.mail.html_style import canonical_style
from router.mail.html_tokens import ATTRIBUTE, END_OF_RAW_TEXT, FOREIGN, TOKEN
from router.mail.text import ATTRIBUTES, MAX_TAGS

# Elements without any content that shows; their content is raw text, up to their own end tag.
_UNSEEN = frozenset({"style", "script", "title", "noscript"})
# An image written into the text: not shown, and most of the bytes where there is one. The last one may be cut.
_DATA_URI = re.compile(r"""["']data:[a-z]{1,20}/[^"'<>]{0,50000000}(?:["']|\Z)""")


def seen_markup(html: str, limit: int) -> str:
    """The same HTML, where it is longer than `limit`, without comments, style sheets, scripts and needless attributes.

    Only as much of it is read as there is room for: the beginning of the result is free of these, as far as `limit` or
    `MAX_TAGS` tags.
    """
    html = without_data(html)
    return html if len(html) <= limit else _reduced(html, limit, attributes=True)


def without_data(html: str) -> str:
    """The same HTML without the images written into it, before a bound cuts the text behind them."""
    return _DATA_URI.sub('""', html)


def without_unseen(html: str) -> str:
    """The same HTML without comments, style sheets and scripts, as far as `MAX_TAGS` tags."""
    return _reduced(html, len(html), attributes=False)


def _reduced(html: str, limit: int, *, attributes: bool) -> str:
    kept: list[str] = []
    size = tags = at = 0
    while size < limit and tags <= MAX_TAGS and (token := TOKEN.search(html, at)) is not None:
        text = html[at : token.start()]
        kept.append(text)
        size += len(text)
        at = token.end()
        if token["name"] is None:  # a comment, a doctype
            continue
        name = token["name"].lower()
        if name in _UNSEEN and not token["end"] and (end := END_OF_RAW_TEXT[name].search(html, at)) is not None:
            at = html.find(">", end.end()) + 1 or len(html)
            continue
        if not token["end"] and (
            name in FOREIGN or name in _UNSEEN
        ):  # other rules hold inside; or all that follows is raw text
            at = token.start()
            break
        tag = token[0]
        if attributes and not token["end"] and token["attributes"]:
            tag = f"<{name}{_seen_attributes(name, token['attributes'])}>"
        kept.append(tag)
        size += len(tag)
        tags += 1
    return "".join(kept) + html[at:]


def _seen_attributes(tag: str, attributes: str) -> str:
    """The attributes that the sanitiser keeps, with a blank before each."""
    allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, frozenset())
    kept = []
    seen = set()
    for attribute in ATTRIBUTE.finditer(attributes):
        name, equals, value = attribute[0].partition("=")
        name = name.strip().lower()
        if name not in allowed or name in seen:
            continue
        seen.add(name)  # of two with one name the first holds
        if name == "style":
            if style := canonical_style(unescape(value.strip().strip("\"'"))):
                kept.append(f' style="{style}"')
        else:
            kept.append(f" {attribute[0]}" if equals else f" {name}")
    return "".join(kept)

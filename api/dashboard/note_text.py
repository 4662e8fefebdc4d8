"""Renders the Markdown subset of internal notes: emphasis, code, lists, quotes and links. All other text is escaped.

The result contains only the tags `p br strong em code pre ul ol li blockquote a`. The time is linear.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from api.dashboard.text_links import linkify, trim_url
from router.unicode_security import INVISIBLE_CONTROLS

_FENCE = re.compile(r" {0,3}```")
_BULLET = re.compile(r" {0,3}[-*+] +(?=\S)")
_NUMBER = re.compile(r" {0,3}(\d{1,6})[.)] +(?=\S)")
_QUOTE = re.compile(r" {0,3}> ?")
_INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|\*\*(?P<strong>(?=\S)[^*\n]+(?<=\S))\*\*"
    r"|(?<![*\w])\*(?P<em>(?=\S)[^*\n]+(?<=\S))\*(?![*\w])"
    r"|(?<!\w)_(?P<underlined>(?=\S)[^_\n]+(?<=\S))_(?!\w)"
    r"|\[(?P<label>[^\[\]\n]+)\]\((?P<url>(?:https?://|mailto:)[^\s()<>\"]+)\)",
    re.IGNORECASE,
)
# A label that looks like a target, or whose order of letters is not the written one, could hide the real target.
_DISGUISE = re.compile(rf"//|\bwww\.|\bmailto:|[{INVISIBLE_CONTROLS}]", re.IGNORECASE)
_LABELLED_LINK = Markup('<a href="{}" rel="noopener noreferrer nofollow" target="_blank">{}</a>')
_BREAK = Markup("<br>")


def note_html(text: str) -> Markup:
    return _render_blocks(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), can_quote=True)


def _render_blocks(lines: Sequence[str], *, can_quote: bool) -> Markup:
    blocks: list[Markup] = []
    position = 0
    while position < len(lines):
        if _FENCE.match(lines[position]):
            end = next((n for n in range(position + 1, len(lines)) if _FENCE.match(lines[n])), len(lines))
            blocks.append(Markup("<pre><code>{}</code></pre>").format("\n".join(lines[position + 1 : end])))
            position = end + 1
            continue
        end = next((n for n in range(position, len(lines)) if _FENCE.match(lines[n])), len(lines))
        for kind, group in groupby(lines[position:end], _line_kind if can_quote else _line_kind_in_quote):
            blocks.append(_render_group(kind, list(group)))
        position = end
    return Markup("").join(blocks)


def _line_kind(line: str) -> str:
    return "quote" if _QUOTE.match(line) else _line_kind_in_quote(line)


def _line_kind_in_quote(line: str) -> str:
    if not line.strip():
        return "blank"
    return "bullets" if _BULLET.match(line) else "numbers" if _NUMBER.match(line) else "text"


def _render_group(kind: str, lines: list[str]) -> Markup:
    if kind == "blank":
        return Markup("")
    if kind == "quote":
        quoted = _render_blocks([_QUOTE.sub("", line, count=1) for line in lines], can_quote=False)
        return Markup("<blockquote>{}</blockquote>").format(quoted)
    if kind == "bullets":
        return Markup("<ul>{}</ul>").format(_render_items(_BULLET, lines))
    if kind == "numbers":
        first = _NUMBER.match(lines[0])
        start = int(first[1]) if first else 1
        return Markup('<ol start="{}">{}</ol>').format(start, _render_items(_NUMBER, lines))
    return Markup("<p>{}</p>").format(_BREAK.join(_render_inline(line) for line in lines))


def _render_items(marker: re.Pattern[str], lines: Sequence[str]) -> Markup:
    items = (_render_inline(marker.sub("", line, count=1)) for line in lines)
    return Markup("").join(Markup("<li>{}</li>").format(item) for item in items)


def _render_inline(text: str, *, is_nested: bool = False) -> Markup:
    pieces: list[Markup] = []
    end = 0
    for found in _INLINE.finditer(text):
        piece = _render_span(found, is_nested=is_nested)
        if piece is not None:
            pieces += [linkify(text[end : found.start()]), piece]
            end = found.end()
    return Markup("").join([*pieces, linkify(text[end:])])


def _render_span(found: re.Match[str], *, is_nested: bool) -> Markup | None:
    """Returns the HTML of an inline span, None if it stays text."""
    if found["code"] is not None:
        return Markup("<code>{}</code>").format(found["code"])
    if found["url"] is not None:
        url, label = found["url"], found["label"]
        if trim_url(url) != url:
            return None
        if label != url and _DISGUISE.search(label):
            return Markup("[{}]({})").format(linkify(label), linkify(url))
        return _LABELLED_LINK.format(url, label)
    if is_nested:
        return None
    if found["strong"] is not None:
        return Markup("<strong>{}</strong>").format(_render_inline(found["strong"], is_nested=True))
    return Markup("<em>{}</em>").format(_render_inline(found["em"] or found["underlined"], is_nested=True))

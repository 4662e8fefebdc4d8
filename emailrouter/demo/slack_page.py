"""Renders messages of the stand-in for Slack as a page, roughly as Slack shows them. Pure.

It knows the blocks that `router.channels.slack_message` renders. Other blocks are omitted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any

from router.clock import SECOND
from router.model import Micros

_STYLE = """
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: flex; font: 15px/1.46 system-ui, sans-serif; color: #1d1c1d }
nav { flex: 0 0 220px; padding: 16px 12px; background: #3f0e40 }
nav b, nav a { display: block; padding: 4px 10px; border-radius: 6px; color: #cfc3cf; text-decoration: none }
nav b { color: #fff; margin-bottom: 12px }
nav a[aria-current] { background: #1164a3; color: #fff }
main { flex: 1; min-width: 0 }
h1 { margin: 0; padding: 14px 20px; font-size: 18px; border-bottom: 1px solid #ddd }
article { max-width: 860px; display: grid; grid-template-columns: 36px 1fr; gap: 0 8px; padding: 12px 20px }
.app { height: 36px; border-radius: 6px; background: #1d6f5c; color: #fff; text-align: center; line-height: 36px }
.by small { color: #616061; margin-left: 6px }
.by i { padding: 0 4px; border-radius: 3px; background: #e8e8e8; color: #616061; font: 11px/1.4 system-ui, sans-serif }
h2 { margin: 4px 0; font-size: 18px; line-height: 1.3 }
p, blockquote, ul { margin: 6px 0; white-space: pre-wrap; overflow-wrap: anywhere }
blockquote { padding: 2px 12px; border-inline-start: 4px solid #ddd }
ul { padding-inline-start: 24px; white-space: normal }
a { color: #1264a3 }
@media (max-width: 640px) { body { display: block } nav { display: flex; flex-wrap: wrap } nav b { display: none } }
"""
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'",
    "Refresh": "5",  # shows new messages without a script
}

Message = tuple[Micros, Mapping[str, Any]]  # when it arrived, and its payload


def render(channels: Sequence[str], shown: str, messages: Iterable[Message], *, is_archived: bool = False) -> str:
    """Renders the messages of the channel `shown`, the newest first, with links to the other channels."""
    links = "".join(
        f'<a href="/channels/{escape(each)}"{" aria-current=page" if each == shown else ""}># {escape(each)}</a>'
        for each in channels
    )
    empty = "This channel is archived: posts to it fail." if is_archived else "No messages yet."
    articles = (
        "".join(_render_message(*each) for each in reversed(list(messages))) or f"<article><p>{empty}</p></article>"
    )
    title = f"# {escape(shown)}"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title} - stand-in for Slack</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style>'
        f"<nav><b>Stand-in for Slack</b>{links}</nav><main><h1>{title}</h1>{articles}</main></html>"
    )


def _render_message(received_at: Micros, payload: Mapping[str, Any]) -> str:
    time = datetime.fromtimestamp(received_at // SECOND).astimezone()
    blocks = payload.get("blocks")
    content = "".join(map(_render_block, blocks)) if blocks else f"<p>{escape(str(payload.get('text', '')))}</p>"
    return (
        '<article><span class="app" aria-hidden="true">&#9993;</span><div><div class="by"><b>Email Router</b> '
        f"<i>APP</i><small>{time:%a %H:%M}</small></div>{content}</div></article>"
    )


def _render_block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "header":
            return f'<h2 dir="auto">{escape(block["text"]["text"])}</h2>'
        case "rich_text":
            return "".join(map(_render_block, block["elements"]))
        case "rich_text_section":
            return f'<p dir="auto">{_render_elements(block)}</p>'
        case "rich_text_quote":
            return f'<blockquote dir="auto">{_render_elements(block)}</blockquote>'
        case "rich_text_list":
            return f"<ul>{''.join(f'<li>{_render_elements(each)}</li>' for each in block['elements'])}</ul>"
    return ""


def _render_elements(block: Mapping[str, Any]) -> str:
    return "".join(map(_render_element, block["elements"]))


def _render_element(element: Mapping[str, Any]) -> str:
    text = escape(str(element.get("text", "")))
    if element.get("type") == "link" and str(element["url"]).startswith(("https://", "http://")):
        return f'<a href="{escape(element["url"])}">{text}</a>'
    return f"<b>{text}</b>" if element.get("style", {}).get("bold") else text

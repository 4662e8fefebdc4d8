"""Sanitises the HTML that users write or quote, and builds the HTML of a message.

Only the worker process (`router.contents.worker`) calls `clean_html` and `to_text`: it alone loads the sanitiser.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from html import escape
from urllib.parse import unquote

from router.mail.html_sanitizer import LINK_SCHEMES, MAX_HTML_LENGTH, filter_attribute, sanitize_with
from router.mail.html_text import sanitized_to_text

MAX_TEXT_LENGTH = 262144
"""Characters of the text that is made from HTML; `router.mail.contents.ParseLimits.text` has the same value."""
_CID = "cid:"
_CONTENT_ID = re.compile(r'\ssrc="cid:([^"]*)"')
# Outlook shows a broken image for such an element.
_IMAGE_WITHOUT_SOURCE = re.compile(r'<img(?: (?!src=)[\w-]++="[^"]*+")*+>')
_PAGE = '<!DOCTYPE html>\n<html>\n<head><meta charset="utf-8"></head>\n<body>\n{}\n</body>\n</html>\n'


@dataclass(frozen=True, slots=True)
class CleanHtml:
    """Sanitised HTML and its text."""

    html: str
    text: str


def clean_html(html: str, content_ids: Iterable[str]) -> str | None:
    """Returns HTML that mail programs can show; None if it is too long or too complex.

    Scripts, forms, style sheets and relative URLs are removed. Of images, those by `https:` are kept, and those by
    `cid:` that are files of the message.

    Args:
        content_ids: The ids of the files of the message.
    """
    if len(html) > MAX_HTML_LENGTH:
        return None
    ids = frozenset(content_ids)

    def filter_outgoing(tag: str, name: str, value: str) -> str | None:
        if name != "src":
            return filter_attribute(tag, name, value)
        value = value.strip()
        if value[:4].lower() == _CID:
            content_id = unquote(value[4:])
            return f"{_CID}{content_id}" if content_id in ids else None
        return value if value[:8].lower() == "https://" else None

    clean = sanitize_with(html, filter_outgoing, LINK_SCHEMES | {"cid"}, link_rel=None)
    return None if clean is None else _IMAGE_WITHOUT_SOURCE.sub("", clean)


def to_text(html: str) -> str:
    """Returns the text of a result of `clean_html`."""
    return sanitized_to_text(html, MAX_TEXT_LENGTH)


def answer_request(data: bytes, n: int) -> bytes:
    """Sanitises HTML, as a request to the worker. Returns `CleanHtml` as JSON, null if the HTML is too complex.

    Args:
        data: A JSON list of content ids; then the HTML.
        n: The length of the JSON in bytes.
    """
    clean = clean_html(data[n:].decode(), json.loads(data[:n]))
    return json.dumps(None if clean is None else asdict(CleanHtml(clean, to_text(clean)))).encode()


def find_content_ids(clean: str) -> frozenset[str]:
    """Returns the ids that sanitised HTML references by `cid:`."""
    return frozenset(_CONTENT_ID.findall(clean))


def text_to_html(text: str) -> str:
    """Returns plain text as HTML with the same lines."""
    return escape(text, quote=False).replace("\n", "<br>\n")


def build_page(parts: Iterable[str]) -> str:
    """Joins sanitised parts into the HTML of a message."""
    return _PAGE.format("\n".join(f"<div>{part}</div>" for part in parts))

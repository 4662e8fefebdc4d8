"""HTML without what readers do not see, so that a bound cuts less of what they see.

The results are read by the sanitiser like any other HTML, so nothing here makes HTML safe. Time is linear.
"""

from __future__ import annotations

import re
from html import unescape

from router.mail.html_sanitizer import ATTRIBUTES, MAX_TAGS, filter_attribute
from router.mail.html_style import canonical_style
from router.mail.html_tokens import ATTRIBUTE, END_OF_RAW_TEXT, FOREIGN, RAW_TEXT, TOKEN


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Raw text elements without any content that shows.
_INVISIBLE_ELEMENTS = frozenset({"style", "script", "title", "noscript"})
_END_OF_DRAWING = re.compile(r"</svg\s*>", re.IGNORECASE)
_TAG_NAME = re.compile(r"</?([a-zA-Z!?][^\t\n\f\r />]*)")
_DRAWING_ELEMENTS = _name_set(
    "path g rect circle ellipse line polyline polygon defs lineargradient radialgradient stop clippath mask use symbol "
    "text tspan image pattern filter marker animate animatetransform fegaussianblur feoffset feblend feflood "
    "fecolormatrix fecomposite femerge femergenode fedropshadow"
)
_BODY = re.compile(r"<body(?=[\t\n\f\r />])", re.IGNORECASE)
# An image written into the text: not shown, and most of the bytes where there is one. The last one may be cut.
_DATA_URI = re.compile(rb"""["']data:[a-z]{1,20}/[^"'<>]{0,50000000}(?:["']|\Z)""")


def visible_markup(html: str, limit: int) -> str:
    """The same HTML, where it is long, without comments, style sheets, scripts and attributes that do not show.

    Long is an eighth of `limit`: the HTML parts of one mail share the bound. Only as much is read as there is room for:
    the beginning of the result is free of these, as far as `limit` or `MAX_TAGS` tags.
    """
    html = _keep_body_style(html)
    return html if len(html) <= limit // 8 else _reduce(html, limit, attributes=True)


def _keep_body_style(html: str) -> str:
    """The sanitiser drops the tag of the body; what its style says about showing text goes to an element inside."""
    body = _BODY.search(html)
    token = None if body is None else TOKEN.match(html, body.start())
    if token is None:
        return html
    style = canonical_style(_style_value(token["attributes"]))
    return f'{html[: token.end()]}<div style="{style}">{html[token.end() :]}' if style else html


def strip_data_uris(html: bytes) -> bytes:
    """The same HTML, not decoded yet, without the images written into it."""
    return _DATA_URI.sub(b'""', html)


def strip_invisible(html: str) -> str:
    """The same HTML without comments, style sheets and scripts, as far as `MAX_TAGS` tags."""
    return _reduce(html, len(html), attributes=False)


def _reduce(html: str, limit: int, *, attributes: bool) -> str:
    kept: list[str] = []
    size = tags = at = 0
    while size < limit and tags <= MAX_TAGS and (token := TOKEN.search(html, at)) is not None:
        text = html[at : token.start()]
        kept.append(text)
        size += len(text)
        at = token.end()
        if token["name"] is None:  # a comment, a doctype
            at += html.startswith(">", at) and not html.startswith("<!--", token.start())
            continue
        name, tag = token["name"].lower(), token[0]
        if not token["end"]:
            # Other rules hold inside foreign elements; what follows a tag or a raw text element without an end is part
            # of it.
            end = END_OF_RAW_TEXT[name].search(html, at) if name in RAW_TEXT else None
            unclosed = token.end("attributes") == token.end() or (name in RAW_TEXT and end is None)
            empty = token["attributes"].endswith("/")
            if name == "svg" and not empty and (behind := _find_drawing_end(html, at)):
                at = behind
                continue
            if unclosed or name in FOREIGN or name == "plaintext":
                at = token.start()
                break
            if attributes and token["attributes"]:
                tag = f"<{name}{_visible_attributes(name, token['attributes'])}>"
            if end is not None:
                tag += html[at : end.start()]
                at = end.start()
                if name in _INVISIBLE_ELEMENTS:
                    at = html.find(">", end.end()) + 1 or len(html)
                    continue
        kept.append(tag)
        size += len(tag)
        tags += 1
    return "".join(kept) + html[at:]


def _find_drawing_end(html: str, at: int) -> int:
    """Where the HTML goes on behind an `svg` element that begins at `at`, 0 if it is not of drawing elements alone.

    Other elements end a drawing, or begin HTML inside.
    """
    end = _END_OF_DRAWING.search(html, at)
    if end is None or not all(name.lower() in _DRAWING_ELEMENTS for name in _TAG_NAME.findall(html, at, end.start())):
        return 0
    return end.end()


def _style_value(attributes: str) -> str:
    """The value of the first `style` attribute, `""` if there is none."""
    for attribute in ATTRIBUTE.finditer(attributes):
        name, _, value = attribute[0].partition("=")
        if name.strip().lower() == "style":
            return unescape(value.strip().strip("\"'"))
    return ""


def _visible_attributes(tag: str, attributes: str) -> str:
    """The attributes that the sanitiser keeps, with a blank before each."""
    allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, frozenset())
    kept = []
    seen = set()
    for attribute in ATTRIBUTE.finditer(attributes):
        name, _, value = attribute[0].partition("=")
        name = name.strip().lower()
        if name not in allowed or name in seen:
            continue
        seen.add(name)  # of two with one name the first holds
        shown = filter_attribute(tag, name, unescape(value.strip().strip("\"'")))
        if name == "style" and shown:
            kept.append(f' style="{shown}"')
        elif shown is not None:
            kept.append(f" {attribute[0]}")
    return "".join(kept)

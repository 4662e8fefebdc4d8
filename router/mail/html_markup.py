"""Removes invisible parts of HTML in linear time, so that a length limit truncates less visible text.

The results are not safe: they must be sanitised like any other HTML.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import escape, unescape

from router.mail.html_presentation import safe_style
from router.mail.html_sanitizer import ATTRIBUTES, MAX_TAGS, filter_attribute, filter_text_attribute
from router.mail.html_style import canonical_style
from router.mail.html_tokens import ATTRIBUTE, END_OF_RAW_TEXT, FOREIGN, RAW_TEXT, TOKEN


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


AttributeFilter = Callable[[str, str, str], str | None]
# Raw text elements that the sanitiser drops with their content.
_INVISIBLE_ELEMENTS = frozenset({"style", "script", "title", "noscript"})
_END_OF_DRAWING = re.compile(r"</svg\s*>", re.IGNORECASE)
_TAG_NAME = re.compile(r"</?([a-zA-Z!?][^\t\n\f\r />]*)")
_DRAWING_ELEMENTS = _name_set(
    "path g rect circle ellipse line polyline polygon defs lineargradient radialgradient stop clippath mask use symbol "
    "text tspan image pattern filter marker animate animatetransform fegaussianblur feoffset feblend feflood "
    "fecolormatrix fecomposite femerge femergenode fedropshadow"
)
_BODY = re.compile(r"<body(?=[\t\n\f\r />])", re.IGNORECASE)
# A quoted `data:` URI, possibly truncated. The sanitiser drops embedded images, which can be most of the HTML.
_DATA_URI = re.compile(rb"""["']data:[a-z]{1,20}/[^"'<>]{0,50000000}(?:["']|\Z)""")


def visible_markup(html: str, limit: int) -> str:
    """Removes comments, style sheets, scripts, SVG drawings and invisible attributes from long HTML.

    The look of the body is copied to a new element in the body, because the sanitiser drops the body tag.
    """
    html = _keep_body_style(html)
    return html if len(html) <= limit // 8 else _reduce(html, limit, filter_attribute)


def text_markup(html: str, limit: int) -> str:
    """Removes like `visible_markup`, and also the styles that do not change the text."""
    return _reduce(html, limit, filter_text_attribute)


def _keep_body_style(html: str) -> str:
    body = _BODY.search(html)
    token = None if body is None else TOKEN.match(html, body.start())
    if token is None:
        return html
    values = _attribute_values(token["attributes"])
    colors = (("background-color", values.get("bgcolor")), ("color", values.get("text")))
    styles = [f"{name}:{value}" for name, value in colors if value] + [values.get("style", "")]
    kept = {name: values.get(name, "") for name in ("class", "id", "dir")}
    kept["style"] = safe_style(";".join(styles))
    if not any(kept.values()):
        return html
    # A `div` would begin a new line of the text, which only a style that changes the text may do.
    tag = "div" if canonical_style(kept["style"]) else "span"
    kept["style"] = kept["style"] if tag == "div" else f"display:block;{kept['style']}"
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in kept.items() if value)
    return f"{html[: token.end()]}<{tag}{attributes}>{html[token.end() :]}"


def strip_data_uris(html: bytes) -> bytes:
    """Removes quoted `data:` URIs, such as embedded images, from the undecoded bytes of HTML."""
    return _DATA_URI.sub(b'""', html)


def strip_invisible(html: str) -> str:
    """Removes comments, style sheets, scripts and drawings.

    The HTML after about `MAX_TAGS` tags, or from an unclosed or foreign element on, is returned unchanged.
    """
    return _reduce(html, len(html))


def _reduce(html: str, limit: int, filter_visible: AttributeFilter | None = None) -> str:
    kept: list[str] = []
    size = tags = position = 0
    while size < limit and tags <= MAX_TAGS and (token := TOKEN.search(html, position)) is not None:
        text = html[position : token.start()]
        kept.append(text)
        size += len(text)
        position = token.end()
        if token["name"] is None:
            position += html.startswith(">", position) and not html.startswith("<!--", token.start())
            continue
        name, tag = token["name"].lower(), token[0]
        if not token["end"]:
            end = END_OF_RAW_TEXT[name].search(html, position) if name in RAW_TEXT else None
            unclosed = token.end("attributes") == token.end() or (name in RAW_TEXT and end is None)
            empty = token["attributes"].endswith("/")
            if name == "svg" and not empty and (drawing_end := _find_drawing_end(html, position)):
                position = drawing_end
                continue
            # The remaining HTML stays unchanged: foreign elements have other rules, unclosed ones include later text.
            if unclosed or name in FOREIGN or name == "plaintext":
                position = token.start()
                break
            if filter_visible is not None and token["attributes"]:
                tag = f"<{name}{_visible_attributes(name, token['attributes'], filter_visible)}>"
            if end is not None:
                tag += html[position : end.start()]
                position = end.start()
                if name in _INVISIBLE_ELEMENTS:
                    position = html.find(">", end.end()) + 1 or len(html)
                    continue
        kept.append(tag)
        size += len(tag)
        tags += 1
    return "".join(kept) + html[position:]


def _find_drawing_end(html: str, position: int) -> int:
    """Returns the end of the open `svg` element, 0 if the element is not closed or may contain HTML."""
    end = _END_OF_DRAWING.search(html, position)
    if end is None or not all(
        name.lower() in _DRAWING_ELEMENTS for name in _TAG_NAME.findall(html, position, end.start())
    ):
        return 0
    return end.end()


def _attribute_values(attributes: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for attribute in ATTRIBUTE.finditer(attributes):
        name, _, value = attribute[0].partition("=")
        values.setdefault(name.strip().lower(), unescape(value.strip().strip("\"'")))
    return values


def _visible_attributes(tag: str, attributes: str, filter_visible: AttributeFilter) -> str:
    allowed = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, frozenset())
    kept = []
    seen = set()
    for attribute in ATTRIBUTE.finditer(attributes):
        name, _, value = attribute[0].partition("=")
        name = name.strip().lower()
        if name not in allowed or name in seen:
            continue
        seen.add(name)  # the first of several attributes with the same name counts
        filtered = filter_visible(tag, name, unescape(value.strip().strip("\"'")))
        if name == "style" and filtered:
            kept.append(f' style="{escape(filtered)}"')
        elif filtered is not None:
            kept.append(f" {attribute[0]}")
    return "".join(kept)

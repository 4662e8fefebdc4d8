"""HTML of templates: how it is sanitised when it is saved, and how the element that a user edits is filled. Pure.

Stored HTML has no images, because a template has no files. A link leads to an absolute URL or to `{link}`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

from router.mail.html_sanitizer import (
    ATTRIBUTES,
    DROPPED_WITH_CONTENT,
    LINK_SCHEMES,
    TAGS,
    filter_attribute,
    is_too_complex,
)

EDITABLE = "data-editable"
_IMAGES = frozenset({"img", "area"})
_VOID = frozenset({"br", "hr", "wbr", "col"})
_TEMPLATE_TAGS = TAGS - _IMAGES
_UNUSED = frozenset({"class", "id", "title"})  # no style sheet refers to them, and titles are not displayed
_TEMPLATE_ATTRIBUTES: Mapping[str, set[str]] = {
    tag: names - _UNUSED for tag, names in ATTRIBUTES.items() if tag not in _IMAGES
}
_LINK = re.compile(r"\{link(?:\|[^{}]*)?\}|[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def sanitize_template(html: str, *, is_editable: bool) -> str | None:
    """Returns safe HTML; None if `html` is too complex. Without `is_editable`, `data-editable` is removed."""
    import nh3  # noqa: PLC0415 - other processes than those that save templates do not load it

    if is_too_complex(html):
        return None
    attributes = dict(_TEMPLATE_ATTRIBUTES)
    if is_editable:
        attributes["*"] = attributes["*"] | {EDITABLE}
    return nh3.clean(
        html,
        tags=set(_TEMPLATE_TAGS),
        clean_content_tags=set(DROPPED_WITH_CONTENT),
        attributes=attributes,
        attribute_filter=_filter_attribute,
        url_schemes=set(LINK_SCHEMES),
        url_relative="pass_through",
        link_rel=None,
    ).strip()


def count_editable(html: str) -> int:
    """Returns how many elements of sanitised HTML can be edited. Elements that cannot contain text do not count."""
    return len(_find_editable(html))


def fill_editable(html: str, content: str) -> str:
    """Replaces the content of the element that can be edited. HTML without such an element is unchanged.

    Args:
        html: The result of `sanitize_template`.
        content: Sanitised HTML.
    """
    found = _find_editable(html)
    if not found:
        return html
    start, end = found[0]
    return f"{html[:start]}{content}{html[end:]}"


def _filter_attribute(tag: str, name: str, value: str) -> str | None:
    if name == "href":
        return value if _LINK.match(value.strip()) else None
    return "" if name == EDITABLE else filter_attribute(tag, name, value)


def _find_editable(html: str) -> list[tuple[int, int]]:
    """Returns where the content of each element begins and ends."""
    finder = _EditableFinder(html)
    finder.feed(html)
    finder.close()
    return finder.found


class _EditableFinder(HTMLParser):
    """Finds elements in sanitised HTML, in which every start tag has its end tag."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=False)
        self.found: list[tuple[int, int]] = []
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", html))]
        # For each open element, where its content begins; -1 if it cannot be edited.
        self._open: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _VOID:
            return
        is_editable = any(name == EDITABLE for name, _ in attrs)
        self._open.append(self._position() + len(self.get_starttag_text() or "") if is_editable else -1)

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - html.parser's API
        if self._open and (start := self._open.pop()) >= 0:
            self.found.append((start, self._position()))

    def _position(self) -> int:
        line, column = self.getpos()
        return self._line_starts[line - 1] + column

"""HTML of templates: how it is sanitised when it is saved, and how the element that a user edits is filled. Pure.

A link leads to an absolute URL or to the placeholder `{link}`. Only the worker process (`router.contents.worker`) calls
`sanitize_template`: it alone loads the sanitiser.
"""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

from router.mail.html_sanitizer import LINK_SCHEMES, filter_attribute, sanitize_with

EDITABLE = "data-editable"
_VOID = frozenset({"br", "hr", "img", "wbr", "col", "area"})
_UNUSED = frozenset({"class", "id"})  # no style sheet refers to them
_LINK = re.compile(r"\{link(?:\|[^{}]*)?\}|[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def sanitize_template(html: str, *, is_editable: bool) -> str | None:
    """Returns safe HTML; None if `html` is too complex. Without `is_editable`, `data-editable` is removed."""
    attributes = frozenset({EDITABLE}) if is_editable else frozenset()
    clean = sanitize_with(
        html, _filter_attribute, LINK_SCHEMES, link_rel=None, attributes=attributes, keeps_relative=True
    )
    return None if clean is None else clean.strip()


def answer_request(data: bytes, n: int) -> bytes:
    """Sanitises HTML, as a request to the worker. Returns it as JSON, null if it is too complex. `n`: `is_editable`."""
    return json.dumps(sanitize_template(data.decode(), is_editable=bool(n))).encode()


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
    if name == EDITABLE:
        return ""
    if name == "src":
        return value if value.strip()[:8].lower() == "https://" else None
    if name == "href":
        return value if _LINK.match(value.strip()) else None
    return None if name in _UNUSED else filter_attribute(tag, name, value)


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

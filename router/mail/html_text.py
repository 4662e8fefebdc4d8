"""Sanitised HTML as text that reads as a person would see it.

`sanitized_to_text` walks what `router.mail.text.sanitize_html` returned, so it meets well-formed HTML only. It never
raises, and takes time linear in the HTML.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

from router.mail.text import HIDDEN


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARAGRAPHS = _words("p ul ol dl table pre h1 h2 h3 h4 h5 h6 blockquote figure hr")
_BLOCKS = _PARAGRAPHS | _words(
    "div address article aside center caption dd details dt figcaption footer header li main nav section summary "
    "tbody thead tfoot tr"
)
_VOID = frozenset({"br", "hr", "img", "wbr", "col"})
_SPACES = re.compile(r"[ \t\n\r\u00a0\u2007\u202f]+")
# Characters that take no room: fillers of hidden preheaders, and soft hyphens.
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]|(?<!\\w)\u200c|\u200c(?!\\w)")
_MAX_QUOTES = 10
_MAX_INDENT = 8


def sanitized_to_text(clean: str, limit: int) -> str:
    """Readable text of what `sanitize_html` returned, at most `limit` characters."""
    walker = _Walker(limit)
    walker.feed(clean)
    walker.close()
    return walker.text()[:limit]


class _Walker(HTMLParser):
    """Writes lines from the events of well-formed HTML; its own state is a few counters and the open link."""

    def __init__(self, limit: int) -> None:
        super().__init__(convert_charrefs=True)
        self.limit = limit
        self.size = 0
        self.lines: list[str] = []
        self.line: list[str] = []
        self.gap = 0  # empty lines wanted before the next text
        self.hidden = 0  # open elements inside (and with) the hidden one
        self.quotes = 0
        self.last_quotes = 0  # of the last line written: a gap belongs to the shallower side
        self.pre = 0
        self.lists: list[int] = []  # number of the next item, -1 in an unordered list
        self.bullet = ""
        self.cells = 0
        self.href = ""  # where the open link goes
        self.shown: list[str] = []  # and what it shows

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hidden or self.size > self.limit:
            self.hidden += tag not in _VOID
            return
        values = dict(attrs)
        if values.get("style") == HIDDEN or "hidden" in values:
            self.hidden = int(tag not in _VOID)
            return
        if tag in _BLOCKS:
            self.end_line(1 if tag in _PARAGRAPHS and not self.lists else 0)
        self.open(tag, values)

    def open(self, tag: str, values: dict[str, str | None]) -> None:
        if tag == "br":
            self.end_line(0, blank=True)
        elif tag == "blockquote":
            self.quotes += 1
        elif tag == "pre":
            self.pre += 1
        elif tag in ("ul", "ol"):
            start = values.get("start") or "1"
            self.lists.append(-1 if tag == "ul" else int(start[:6]) if start.isdecimal() else 1)
        elif tag == "li":
            self.begin_item()
        elif tag == "tr":
            self.cells = 0
        elif tag in ("td", "th"):
            if self.cells and self.line:
                self.line.append(" | ")
            self.cells += 1
        elif tag == "hr":
            self.write("-" * 20)
            self.end_line(1)
        elif tag == "a":
            self.href = values.get("href") or ""
            self.shown.clear()
        elif tag == "img":
            self.image(values)

    def handle_endtag(self, tag: str) -> None:
        if self.hidden:
            self.hidden -= 1
            return
        if tag == "a":
            self.end_link()
        if tag in _BLOCKS:
            self.end_line(1 if tag in _PARAGRAPHS and len(self.lists) <= 1 else 0)
        if tag == "blockquote":
            self.quotes = max(0, self.quotes - 1)
        elif tag == "pre":
            self.pre = max(0, self.pre - 1)
        elif tag in ("ul", "ol") and self.lists:
            self.lists.pop()
            self.bullet = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self.hidden or self.size > self.limit:
            return
        if self.pre:
            first, *rest = data.split("\n")
            self.write(first)
            for line in rest:
                self.end_line(0, blank=True)
                self.write(line)
            return
        data = _SPACES.sub(" ", _INVISIBLE.sub("", data))
        if data == " " and not self.line:
            return
        self.write(data)

    def write(self, text: str) -> None:
        if text:
            self.line.append(text)
            if self.href:
                self.shown.append(text)
            self.size += len(text)

    def begin_item(self) -> None:
        if not self.lists:
            self.bullet = "- "
            return
        number = self.lists[-1]
        self.bullet = "- " if number < 0 else f"{number}. "
        if number >= 0:
            self.lists[-1] = number + 1

    def image(self, values: dict[str, str | None]) -> None:
        """An image speaks by its alternative text; pixels that count readers have none worth reading."""
        alt = _SPACES.sub(" ", values.get("alt") or "").strip()
        sizes = (values.get("width") or "", values.get("height") or "")
        if alt and not any(size.strip() in ("0", "1", "0px", "1px") for size in sizes):
            self.write(f"[{alt[:200]}]")

    def end_link(self) -> None:
        href, self.href = self.href, ""
        scheme, _, rest = href.partition(":")
        scheme = scheme.lower()
        if scheme not in ("http", "https", "mailto", "tel"):
            return
        shown = "".join(self.shown)
        plain = href if scheme.startswith("http") else rest.partition("?")[0]
        if shown.strip() and not _same_link(shown, plain):
            self.write(f" ({plain})" if len(plain) <= 500 else f" ({plain[:500]}…)")

    def end_line(self, gap: int, *, blank: bool = False) -> None:
        """Finish the line at hand. gap: empty lines wanted after it. blank: an empty line counts as one."""
        line = "".join(self.line)
        text = line.rstrip() if self.pre else line.strip()
        if text == "--" and line.endswith(("-- ", "--\u00a0")):
            text = "-- "  # the mark of a signature keeps its blank (RFC 3676 section 4.3)
        self.line.clear()
        while text.endswith(" |"):
            text = text[:-2].rstrip()
        prefix = "> " * min(self.quotes, _MAX_QUOTES)
        if text and text != "|":
            if self.gap and self.lines:
                self.lines.append(("> " * min(self.quotes, self.last_quotes, _MAX_QUOTES)).rstrip())
            self.gap = 0
            self.last_quotes = self.quotes
            indent = "  " * min(max(len(self.lists) - 1, 0), _MAX_INDENT)
            bullet = self.bullet or ("  " if self.lists else "")
            self.lines.append(f"{prefix}{indent}{bullet}{text if self.pre else _SPACES.sub(' ', text)}")
            self.bullet = ""
        elif blank:
            self.gap = 1
        self.gap = max(self.gap, gap)

    def text(self) -> str:
        self.end_line(0)
        return "\n".join(self.lines).strip()


def _same_link(shown: str, target: str) -> bool:
    """Whether a link's text already says where it goes."""

    def bare(text: str) -> str:
        text = text.strip().lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
        return text.removeprefix("mailto:").rstrip("/")

    return bare(shown) == bare(target) or (target.startswith("+") and shown.replace(" ", "") == target)

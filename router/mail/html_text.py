"""Converts HTML to text that reads like the displayed HTML.

`sanitized_to_text` requires sanitised HTML; `strip_tags` accepts any HTML. Neither raises, and both take linear time.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import unescape
from html.parser import HTMLParser

from router.mail.decode import clean_text
from router.mail.html_markup import strip_invisible
from router.mail.html_sanitizer import LINK_SCHEMES
from router.mail.html_style import HIDDEN, INDENTED, INVISIBLE, STRUCK, VISIBLE


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARAGRAPHS = _name_set("p ul ol dl table pre h1 h2 h3 h4 h5 h6 blockquote figure hr")
_BLOCKS = _PARAGRAPHS | _name_set(
    "div address article aside center caption dd details dt figcaption footer header li main nav section summary "
    "tbody thead tfoot tr"
)
_VOID = frozenset({"br", "hr", "img", "wbr", "col", "area"})
_STRUCK_TAGS = frozenset({"s", "strike", "del"})
_SPACES = re.compile(r"[ \t\n\r\u00a0\u2007\u202f]+")
# Invisible characters that fill hidden preheaders, and soft hyphens. A zero-width non-joiner in a word is kept.
_INVISIBLE = re.compile("[\u00ad\u034f\u200b\u2060\ufeff]|(?<!\\w)\u200c|\u200c(?!\\w)")
_NOT_IN_URL = re.compile(r"[\t\n\r]")  # browsers remove these characters (WHATWG URL, basic URL parser)
_MAX_QUOTE_DEPTH = 10
_MAX_INDENT = 8
_MAX_ADDRESS_LENGTH = 2000  # characters of a displayed link target
_PIXEL_SIZES = frozenset({"0", "1", "0px", "1px"})
# `unescape` raises if a numeric character reference has thousands of digits.
_ENDLESS_NUMBER = re.compile(r"&#[0-9]{10,}+;?")
_ANY_TAG = re.compile(r"<[^<>]*>")


def sanitized_to_text(clean: str, limit: int, *, hidden: bool = False) -> str:
    """Converts sanitised HTML to text of at most `limit` characters.

    With `hidden`, hidden elements are included.
    """
    walker = _TextExtractor(limit, hidden=hidden)
    walker.feed(clean)
    walker.close()
    return walker.builder.render()[:limit]


def strip_tags(html: str, limit: int) -> str:
    """Returns at most `limit` characters of the text of any HTML, sanitised or not."""
    text = _ANY_TAG.sub(" ", strip_invisible(html))
    return clean_text(unescape(_ENDLESS_NUMBER.sub(" ", text)))[:limit].strip()


@dataclass(frozen=True, slots=True)
class _Style:
    """The text properties of an element. Child elements inherit all of them except `indented`."""

    white_space: str = "normal"
    visible: bool = True
    struck: bool = False
    indented: bool = False

    def child_style(self, tag: str, declared: str) -> _Style:
        """Returns the style of a child element.

        Args:
            declared: The child's own style, a result of `canonical_style`.
        """
        style = replace(self, indented=False) if self.indented else self
        style = replace(style, white_space="pre") if tag == "pre" else style
        style = replace(style, struck=True) if tag in _STRUCK_TAGS else style
        for declaration in declared.split(";") if declared else ():
            if declaration in (INVISIBLE, VISIBLE):
                style = replace(style, visible=declaration == VISIBLE)
            elif declaration == STRUCK:
                style = replace(style, struck=True)
            elif declaration == INDENTED:
                style = replace(style, indented=True)
            elif declaration.startswith("white-space:"):
                style = replace(style, white_space=declaration.partition(":")[2])
        return style


class _TextBuilder:
    def __init__(self) -> None:
        self.size = 0
        self.list_counters: list[int] = []  # per open list: number of the next item, -1 if unordered
        self.quote_depth = 0
        self._last_quote_depth = 0
        self._lines: list[str] = []
        self._line: list[str] = []
        self._pending_blank_lines = 0
        self._bullet = ""
        self._cell_count = 0
        self._verbatim = False  # the current line has text with preserved white space
        self._struck = False  # struck-out text is open

    def write(self, text: str, style: _Style) -> str:
        if style.white_space in ("normal", "pre-line"):
            text = _SPACES.sub(" ", text)
            if text.startswith(" ") and (not self._line or self._line[-1].endswith(" ")):
                text = text[1:]
        else:
            text = text.replace("\u00a0", " ")
            self._verbatim = self._verbatim or bool(text.strip())
        if not text:
            return ""
        if style.struck != self._struck and (text.strip() or self._struck):
            self._toggle_strikethrough(text if style.struck else "")
        self._line.append(text.lstrip() if style.struck and self._line and self._line[-1] == "~~" else text)
        self.size += len(text)
        return text

    def _toggle_strikethrough(self, following: str) -> None:
        """Writes the opening `~~` before struck-out text (`following`), or the closing `~~` if `following` is `""`."""
        if following:
            self._line += [following[: len(following) - len(following.lstrip())], "~~"]
        elif self._line:
            last = self._line[-1]
            self._line[-1] = f"{last.rstrip()}~~{last[len(last.rstrip()) :]}"
        self._struck = bool(following)

    def begin_row(self) -> None:
        self._cell_count = 0

    def begin_cell(self) -> None:
        if self._cell_count and self._line:
            self._line.append(" | ")
        self._cell_count += 1

    def begin_item(self, value: str) -> None:
        """Starts a list item. `value` is the declared number of the item, `""` if none is declared."""
        if not self.list_counters:
            self._bullet = "- "
            return
        if self.list_counters[-1] >= 0 and value.isdecimal():
            self.list_counters[-1] = int(value[:6])
        number = self.list_counters[-1]
        self._bullet = "- " if number < 0 else f"{number}. "
        if number >= 0:
            self.list_counters[-1] = number + 1

    def end_list(self) -> None:
        if self.list_counters:
            self.list_counters.pop()
            self._bullet = ""

    def end_line(self, blank_lines: int, *, keep_blank: bool = False) -> None:
        """Finishes the current line.

        Args:
            blank_lines: 1 if an empty line must follow, otherwise 0.
            keep_blank: Whether the current line is kept if it is empty.
        """
        if self._struck:
            self._toggle_strikethrough("")
        line = "".join(self._line)
        text = line.rstrip() if self._verbatim else _SPACES.sub(" ", line).strip()
        if text == "--" and line.endswith(("-- ", "--\u00a0")):
            text = "-- "  # a signature delimiter keeps its space (RFC 3676 section 4.3)
        self._line.clear()
        self._verbatim = False
        while text.endswith(" |"):
            text = text[:-2].rstrip()
        if text and text != "|":
            self._append_line(text)
        elif keep_blank:
            self._pending_blank_lines = 1
        self._pending_blank_lines = max(self._pending_blank_lines, blank_lines)

    def _append_line(self, text: str) -> None:
        if self._pending_blank_lines and self._lines:
            self._lines.append(("> " * min(self.quote_depth, self._last_quote_depth, _MAX_QUOTE_DEPTH)).rstrip())
        self._pending_blank_lines = 0
        self._last_quote_depth = self.quote_depth
        prefix = "> " * min(self.quote_depth, _MAX_QUOTE_DEPTH)
        indent = "  " * min(max(len(self.list_counters) - 1, 0), _MAX_INDENT)
        bullet = self._bullet or ("  " if self.list_counters else "")
        self._lines.append(f"{prefix}{indent}{bullet}{text}")
        self._bullet = ""

    def render(self) -> str:
        self.end_line(0)
        return "\n".join(self._lines).strip()


class _TextExtractor(HTMLParser):
    def __init__(self, limit: int, *, hidden: bool) -> None:
        super().__init__(convert_charrefs=True)
        self.limit = limit
        self.includes_hidden = hidden
        self.builder = _TextBuilder()
        self.styles = [_Style()]  # the default style, then the style of each open element
        self.hidden_depth = 0  # number of open elements that are skipped
        self.href = ""  # the URL of the open link
        self.link_text: list[str] = []
        self.link_has_image = False  # whether the open link has an image without a description

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self.hidden_depth or self.builder.size > self.limit:
            self.hidden_depth += tag not in _VOID
            return
        values = dict(attrs)
        declared = values.get("style") or ""
        if (declared == HIDDEN or "hidden" in values) and not self.includes_hidden:
            self.hidden_depth = int(tag not in _VOID)
            return
        if tag in _BLOCKS:
            self.builder.end_line(1 if tag in _PARAGRAPHS and not self.builder.list_counters else 0)
        if tag not in _VOID:
            self.styles.append(self.styles[-1].child_style(tag, declared))
        self.open_element(tag, values)

    def open_element(self, tag: str, values: dict[str, str | None]) -> None:
        if tag == "br":
            self.builder.end_line(0, keep_blank=True)
        elif tag == "blockquote":
            self.builder.quote_depth += not self.styles[-1].indented
        elif tag in ("ul", "ol"):
            start = values.get("start") or "1"
            self.builder.list_counters.append(-1 if tag == "ul" else int(start[:6]) if start.isdecimal() else 1)
        elif tag == "li":
            self.builder.begin_item(values.get("value") or "")
        elif tag == "tr":
            self.builder.begin_row()
        elif tag in ("td", "th"):
            self.builder.begin_cell()
        elif tag == "hr":
            self.write("-" * 20)
            self.builder.end_line(1)
        elif tag in ("a", "area"):
            self.href = _NOT_IN_URL.sub("", values.get("href") or "").strip()
            self.link_text.clear()
            self.link_has_image = False
            if tag == "area":  # a link in an image map
                self.write_image(values)
                self.end_link()
        elif tag == "img":
            self.write_image(values)

    def handle_endtag(self, tag: str) -> None:
        if self.hidden_depth:
            self.hidden_depth -= 1
            return
        if tag == "a":
            self.end_link()
        if tag in _BLOCKS:
            self.builder.end_line(1 if tag in _PARAGRAPHS and len(self.builder.list_counters) <= 1 else 0)
        if tag == "blockquote":
            self.builder.quote_depth = max(0, self.builder.quote_depth - 1)
        elif tag in ("ul", "ol"):
            self.builder.end_list()
        if len(self.styles) > 1 and tag not in _VOID:
            self.styles.pop()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_data(self, data: str) -> None:
        if self.hidden_depth or self.builder.size > self.limit:
            return
        data = _INVISIBLE.sub("", data)
        if self.styles[-1].white_space == "normal":
            self.write(data)
            return
        first, *remaining = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self.write(first)
        for line in remaining:
            self.builder.end_line(0, keep_blank=True)
            self.write(line)

    def write(self, text: str) -> None:
        style = self.styles[-1]
        if style.visible or self.includes_hidden:
            shown = self.builder.write(text, style)
            if self.href:
                self.link_text.append(shown)

    def write_image(self, values: dict[str, str | None]) -> None:
        if any((values.get(size) or "").strip() in _PIXEL_SIZES for size in ("width", "height")):
            return
        words = _SPACES.sub(" ", _INVISIBLE.sub("", values.get("alt") or values.get("title") or "")).strip()
        if words:
            self.write(f"[{words[:200]}]")
        else:
            self.link_has_image = True

    def end_link(self) -> None:
        """Ends the open link.

        Writes its target if the scheme is in `LINK_SCHEMES`, unless the link is empty or its text shows the target.
        """
        href, self.href = self.href, ""
        scheme, _, remaining = href.partition(":")
        scheme = scheme.lower()
        if scheme not in LINK_SCHEMES:
            return
        shown = "".join(self.link_text).strip()
        plain = remaining.partition("?")[0] if scheme in ("mailto", "tel", "sms") else href
        address = plain if len(plain) <= _MAX_ADDRESS_LENGTH else f"{plain[:_MAX_ADDRESS_LENGTH]}…"
        if shown and not _is_same_link(shown, plain):
            self.write(f" ({address})")
        elif not shown and self.link_has_image:
            self.write(f" {address} ")


def _is_same_link(shown: str, target: str) -> bool:
    """Whether the text of a link equals its target, apart from differences such as the scheme."""

    def bare(text: str) -> str:
        text = text.strip().lower().removeprefix("https://").removeprefix("http://").removeprefix("www.")
        return text.removeprefix("mailto:").rstrip("/")

    return bare(shown) == bare(target) or (target.startswith("+") and shown.replace(" ", "") == target)

"""Reduces the style sheets of a message to safe rules, in linear time.

Keeps rules with simple selectors, also inside `@media`. Drops everything that loads (`@import`, `@font-face`, `url()`)
and every other at-rule. The result contains no `<`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from router.mail.html_presentation import URL, safe_declarations

MAX_SHEET_LENGTH = 131_072
"""Maximum characters of the style sheets of a message; the rest is ignored."""
MAX_SELECTOR_LENGTH = 500
_MAX_CONDITION_LENGTH = 200

# Comments are matched first: conditional comments contain style sheets for other programs.
_STYLE_ELEMENT = re.compile(
    r"<!--.*?(?:-->|\Z)|<style(?=[\s/>])(?P<attributes>[^>]*+)(?:>|\Z)(?P<css>.*?)(?:</style|\Z)",
    re.IGNORECASE | re.DOTALL,
)
_MEDIA_ATTRIBUTE = re.compile(r"""\bmedia\s*+=\s*+(?:"([^"]*+)"|'([^']*+)'|([^\s"'>]++))""", re.IGNORECASE)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)|<!--|-->", re.DOTALL)
# Text up to a delimiter outside strings.
_TOKEN = re.compile(r"""((?:[^{};"']++|"[^"\n]*+(?:"|\n|\Z)|'[^'\n]*+(?:'|\n|\Z))*+)([{};]|\Z)""")
_SELECTOR = re.compile(rf"""[\w\s.\#>+~*,:\[\]="'^$|-]{{1,{MAX_SELECTOR_LENGTH}}}""")
_CONDITION = re.compile(rf"[\w\s():,./-]{{1,{_MAX_CONDITION_LENGTH}}}")
# Conditions on the height of the viewport, which the dashboard fits to the content.
_HEIGHT_CONDITION = re.compile(r"height|orientation|aspect")


def extract_style_sheet(html: str, limit: int = MAX_SHEET_LENGTH) -> str:
    """Returns at most `limit` characters of safe rules of the `style` elements of HTML."""
    sheets: list[str] = []
    unread = left = limit
    for css, media in _style_elements(html):
        sheet = clean_style_sheet(css[:unread])
        condition = _safe_condition(media) if media else ""
        if sheet and condition is not None:
            sheet = f"@media {condition}{{{sheet}}}" if condition else sheet
            if len(sheet) <= left:
                sheets.append(sheet)
                left -= len(sheet)
        unread -= len(css)
        if unread <= 0:
            break
    return "".join(sheets)


def _style_elements(html: str) -> Iterator[tuple[str, str]]:
    """Yields the style sheet and the `media` attribute of each `style` element."""
    for element in _STYLE_ELEMENT.finditer(html):
        if element["css"]:
            media = _MEDIA_ATTRIBUTE.search(element["attributes"])
            yield element["css"], next((value for value in media.groups() if value), "") if media else ""


def clean_style_sheet(css: str) -> str:
    """Returns the safe rules of a style sheet."""
    cleaner = _Cleaner()
    for text, delimiter in _TOKEN.findall(URL.sub(" ", _COMMENT.sub(" ", css))):
        cleaner.process(text, delimiter)
    return cleaner.finish()


class _Cleaner:
    """Collects safe rules from the tokens of a style sheet."""

    def __init__(self) -> None:
        self._rules: list[str] = []
        self._skipped_depth = 0  # open blocks that are skipped
        self._in_media = False
        self._selector: str | None = None  # of the open rule; `""` drops the rule
        self._declarations: list[str] = []

    def process(self, text: str, delimiter: str) -> None:
        if self._skipped_depth:
            self._skipped_depth += (delimiter == "{") - (delimiter == "}")
        elif self._selector is not None:
            self._process_declaration(text, delimiter)
        elif delimiter == "{":
            self._open_block(text.strip())
        elif delimiter == "}" and self._in_media:
            self._close_media()

    def finish(self) -> str:
        if self._in_media:
            self._close_media()
        return "".join(self._rules)

    def _open_block(self, prelude: str) -> None:
        if not prelude.startswith("@"):
            self._selector, self._declarations = _safe_selector(prelude), []
            return
        name, _, condition = prelude.replace("(", " (", 1).partition(" ")
        safe = _safe_condition(condition) if name.lower() == "@media" and not self._in_media else None
        if safe is None:
            self._skipped_depth = 1
        else:
            self._in_media = True
            self._rules.append(f"@media {safe}{{")

    def _process_declaration(self, text: str, delimiter: str) -> None:
        if delimiter == "{":  # nested rules are dropped
            self._skipped_depth = 1
            return
        self._declarations.append(text)
        if delimiter == "}":
            if self._selector and (declarations := safe_declarations(self._declarations, is_sheet=True)):
                self._rules.append(f"{self._selector}{{{';'.join(declarations)}}}")
            self._selector = None

    def _close_media(self) -> None:
        if self._rules[-1].startswith("@media "):
            self._rules.pop()
        else:
            self._rules.append("}")
        self._in_media = False


def _safe_selector(text: str) -> str:
    """Returns the selector, `""` if it is not safe."""
    if _SELECTOR.fullmatch(text) is None or text.count('"') % 2 or text.count("'") % 2:
        return ""
    return " ".join(text.split())


def _safe_condition(text: str) -> str | None:
    """Returns the media condition, None if it is not safe."""
    text = " ".join(text.lower().split())
    if _CONDITION.fullmatch(text) is None or text.count("(") != text.count(")") or _HEIGHT_CONDITION.search(text):
        return None
    return text

"""Estimates how much larger HTML becomes when it is parsed, in one linear pass without a parser.

Parsers reopen unclosed formatting elements in later blocks, and copy wrongly nested ones (HTML standard 13.2.4.3,
13.2.6.4.7). So n unclosed elements before n blocks can become n * n elements. The estimate is usually too high, except
in foreign content (`svg`, `math`), where only the limits of the worker process apply.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from router.mail.html_depth import DepthEstimate
from router.mail.html_tokens import ATTRIBUTE, END_OF_RAW_TEXT, FOREIGN, RAW_TEXT, TOKEN

MAX_DEPTH = 1500
"""Maximum estimated depth of open elements. The sanitiser's time grows with the square of the depth."""
MAX_TAG_LENGTH, MAX_ATTRIBUTES = 16384, 1000
"""Characters and attributes of a tag. A tag may exceed one of these limits, but not both: the sanitiser compares each
attribute with all previous ones, but a few attributes may be long, such as an image in a style."""
MAX_REOPENED_LENGTH = 2_000_000
"""Maximum estimate of the length of the tags that parsing adds, in characters; this is about 100,000 elements."""
REOPENED_BASE_LENGTH, REOPENED_PER_CHARACTER = 200_000, 24
"""The limit for shorter HTML: a base, plus a number of characters per character of HTML. For example, 5,000 blocks
inside five short unclosed formatting elements stay below this limit."""
# Cost of an element in addition to its name and attributes, in characters.
_ELEMENT_COST = 16
# In each of up to eight rounds, an end tag copies its formatting element and up to three elements inside that element.
_MAX_ADOPTION_ROUNDS, _MAX_CLONES_PER_ROUND = 8, 4
_MAX_IDENTICAL = 3  # "Noah's Ark clause": the parser reopens at most three identical elements
_COMPARISON_COST = 4  # per comparison: the parser compares each new formatting element with all open ones


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMATTING = _name_set("a b big code em font i nobr s small strike strong tt u")
# Elements whose start tags cost nothing and open no block.
_INLINE = _name_set("abbr bdi bdo br cite del dfn img ins kbd label mark q samp span sub sup time var wbr")
# Elements that never nest directly in themselves.
_SHALLOW = _name_set("p li td tr th dd dt tbody thead tfoot option hr input meta link col area base embed")
# In the estimate, the end tag of a formatting element inside one of these scopes closes no element outside it.
_SCOPES = _name_set("table applet object marquee template svg math select")
# Elements that a document has once. A repeated start tag adds its attributes to the existing element.
_MERGED = frozenset({"html", "body"})
_CELLS = frozenset({"td", "th", "caption"})


class TooComplex(Exception):  # noqa: N818 - describes HTML, not a fault
    """Parsing would exceed a limit."""


def is_too_complex(html: str) -> bool:
    estimate = _GrowthEstimate(min(MAX_REOPENED_LENGTH, REOPENED_BASE_LENGTH + REOPENED_PER_CHARACTER * len(html)))
    # A few tags cannot nest too deeply.
    depth = DepthEstimate() if html.count("<") > MAX_DEPTH else None
    try:
        for name, end, tag in _parse_tags(html):
            if depth is not None and depth.process_tag(name, end=end) > MAX_DEPTH:
                raise TooComplex
            estimate.process_tag(name, tag, end=end)
    except TooComplex:
        return True
    return False


def _parse_tags(html: str) -> Iterator[tuple[str, bool, str]]:
    """Yields (name, whether it is an end tag, attributes) for each tag.

    Ignores comments and raw text, but includes start tags in raw text after the first `svg` or `math` tag.

    Raises:
        TooComplex: A tag is too large.
    """
    position, foreign = 0, False
    while (token := TOKEN.search(html, position)) is not None:
        position = token.end()
        slash, name, attributes = token.group("end", "name", "attributes")
        if name is None:
            continue
        if position - token.start() > MAX_TAG_LENGTH and len(ATTRIBUTE.findall(attributes)) > MAX_ATTRIBUTES:
            raise TooComplex
        name = name.lower()
        yield name, bool(slash), attributes
        if name in RAW_TEXT and not slash:
            found = END_OF_RAW_TEXT[name].search(html, position)
            end = len(html) if found is None else found.start()
            if foreign:  # in foreign content the text may be markup
                yield from _parse_start_tags(html, position, end)
            position = end
        foreign = foreign or name in FOREIGN


def _parse_start_tags(html: str, position: int, end: int) -> Iterator[tuple[str, bool, str]]:
    for token in TOKEN.finditer(html, position, end):
        if token["name"] and not token["end"]:
            yield token["name"].lower(), False, token["attributes"]


@dataclass(slots=True)
class _OpenElement:
    """An open formatting element inside `blocks` open blocks."""

    name: str
    tag: str
    blocks: int

    @property
    def size(self) -> int:
        return _ELEMENT_COST + len(self.name) + len(self.tag)


@dataclass(slots=True)
class _Level:
    """The open formatting elements in one cell or other scope, or outside all scopes."""

    name: str = ""
    open: list[_OpenElement] = field(default_factory=list)
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)  # number of elements in `open` by name and tag

    def append(self, element: _OpenElement) -> None:
        self.open.append(element)
        self.tags[element.name, element.tag] += 1

    def pop(self, position: int) -> _OpenElement:
        element = self.open.pop(position)
        self.tags[element.name, element.tag] -= 1
        return element


class _GrowthEstimate:
    """Adds up, for each tag, the sizes of the elements that the parser may reopen or copy."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.levels = [_Level()]
        self.names = Counter[str]()  # number of `levels` by name
        self.blocks = 0
        self.size = 0  # total size of the open formatting elements
        self.cost = 0
        self.merged = 0  # characters of the attributes of `html` and `body`

    def process_tag(self, name: str, tag: str, *, end: bool) -> None:
        if name in _FORMATTING:
            if not end:
                self.open_formatting(name, tag)
            elif (position := self.find_last_open(name)) is not None:
                self.close_formatting(position)
        elif end or name not in _INLINE:
            if name in _MERGED and not end:
                self.charge(self.merged)
                self.merged += len(tag)
            self.charge(self.size)
            self.process_block(name, end=end)

    def open_formatting(self, name: str, tag: str) -> None:
        level = self.levels[-1]
        # Links do not nest: a new link ends the open one.
        if name == "a" and (position := self.find_last_open("a")) is not None:
            self.close_formatting(position, always=True)
        self.charge(_COMPARISON_COST * len(level.open))
        if level.tags[name, tag] < _MAX_IDENTICAL:
            level.append(_OpenElement(name, tag, self.blocks))
            self.size += level.open[-1].size

    def find_last_open(self, name: str) -> int | None:
        """Returns the position of the innermost open element with this name, None if there is none."""
        level = self.levels[-1].open
        for position in range(len(level) - 1, -1, -1):
            if level[position].name == name:
                self.charge(sum(other.size for other in level[position + 1 :]))  # the elements inside it are closed too
                return position
        self.charge(len(level))
        return None

    def close_formatting(self, position: int, *, always: bool = False) -> None:
        """Processes the end tag of a formatting element.

        The parser copies the element into the open blocks inside it. With too many such blocks, the element stays open
        unless `always` is set.
        """
        level = self.levels[-1]
        inside = max(0, self.blocks - level.open[position].blocks)
        if inside:
            around = level.open[max(0, position - _MAX_CLONES_PER_ROUND) : position + _MAX_CLONES_PER_ROUND]
            self.charge(min(inside, _MAX_ADOPTION_ROUNDS) * max(other.size for other in around) * _MAX_CLONES_PER_ROUND)
        if inside <= _MAX_ADOPTION_ROUNDS or always:
            self.size -= level.pop(position).size

    def process_block(self, name: str, *, end: bool) -> None:
        if name not in _SHALLOW:
            self.blocks = max(0, self.blocks - 1) if end else self.blocks + 1
        top = self.levels[-1].name
        if name in _CELLS or name == "tr":
            if top in _CELLS and (not end or name in (top, "tr")) and not (end and top == "caption" != name):
                self.drop_level()
            if not end and name in _CELLS and self.names["table"]:
                self.enter_level(name)
        elif name in _SCOPES and not end:
            if top == name == "table":
                self.leave_scope(name)
            self.enter_level(name)
        elif name in _SCOPES:
            self.leave_scope(name)

    def enter_level(self, name: str) -> None:
        self.levels.append(_Level(name))
        self.names[name] += 1

    def exit_level(self) -> list[_OpenElement]:
        level = self.levels.pop()
        self.names[level.name] -= 1
        return level.open

    def drop_level(self) -> None:
        """Ends a cell; its formatting elements are not reopened outside the cell."""
        self.size -= sum(element.size for element in self.exit_level())

    def leave_scope(self, name: str) -> None:
        """Ends the innermost scope with this name, and all scopes in it.

        In the estimate, formatting elements stay open after their scope ends, except those of a cell.
        """
        before = self.names[name]
        while before and self.names[name] == before:
            if self.levels[-1].name in _CELLS:
                self.drop_level()
            else:
                for element in self.exit_level():
                    self.levels[-1].append(element)

    def charge(self, size: int) -> None:
        self.cost += size
        if self.cost > self.limit:
            raise TooComplex

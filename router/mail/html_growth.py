"""How much larger HTML becomes when it is parsed: an estimate in one linear pass, before anything parses it.

The HTML standard reopens formatting elements that a block's end closed ("reconstruct the active formatting elements",
13.2.4.3), and copies them where they are closed in the wrong order ("adoption agency algorithm", 13.2.6.4.7). So n open
elements before n blocks become n * n elements. The estimate is an upper bound for the elements of HTML; where foreign
content (`svg`, `math`) changes what a tag means it can be too low, and only the bounds of the parsing process hold.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from router.mail.html_depth import DepthEstimate
from router.mail.html_tokens import ATTRIBUTE, END_OF_RAW_TEXT, FOREIGN, RAW_TEXT, TOKEN

MAX_DEPTH = 1500
"""Levels of open elements: the time of the sanitiser grows with their square."""
MAX_TAG_LENGTH, MAX_ATTRIBUTES = 16384, 1000
"""Characters of one tag, if it has more attributes than that: the sanitiser compares each with all before it. Few
attributes may be long: the path of a drawing, a picture in a style."""
MAX_REOPENED_LENGTH = 2_000_000
"""Characters of tags that parsing may add at most, about 100,000 elements."""
REOPENED_BASE_LENGTH, REOPENED_PER_CHARACTER = 200_000, 24
"""The same for shorter HTML: a base, and so many for each character, so that the cost of parsing grows with the length.
Newsletters of 5,000 blocks inside five unclosed formatting elements stay below it."""
# Of an element in memory, compared with a character of its tag.
_ELEMENT_COST = 16
# Clones by one end tag: eight rounds, each with the element and up to three between it and the block.
_MAX_ADOPTION_ROUNDS, _MAX_CLONES_PER_ROUND = 8, 4
_MAX_IDENTICAL = 3  # "Noah's Ark clause": of identical open elements the parser keeps three
_COMPARISON_COST = (
    4  # the parser compares each formatting element with all open ones; one comparison costs as much as this
)


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMATTING = _name_set("a b big code em font i nobr s small strike strong tt u")
# Start tags that close nothing.
_INLINE = _name_set("abbr bdi bdo br cite del dfn img ins kbd label mark q samp span sub sup time var wbr")
# Elements that never nest in themselves; all others may stand between a formatting element and its end.
_SHALLOW = _name_set("p li td tr th dd dt tbody thead tfoot option hr input meta link col area base embed")
# What is open outside of these cannot be closed inside.
_SCOPES = _name_set("table applet object marquee template svg math select")
# A second one adds its attributes to the first, after a comparison with all that this one has.
_MERGED = frozenset({"html", "body"})
_CELLS = frozenset({"td", "th", "caption"})


class TooComplex(Exception):  # noqa: N818 - said of HTML, not of a fault
    """Parsing would add more than is allowed for its length, or one of the other bounds is exceeded."""


def is_too_complex(html: str) -> bool:
    """Whether parsing costs more than a bound allows, which a sanitiser has to do first."""
    estimate = _GrowthEstimate(min(MAX_REOPENED_LENGTH, REOPENED_BASE_LENGTH + REOPENED_PER_CHARACTER * len(html)))
    depth = DepthEstimate()
    try:
        for name, end, tag in _parse_tags(html):
            if depth.process_tag(name, end=end) > MAX_DEPTH:
                raise TooComplex
            estimate.process_tag(name, tag, end=end)
    except TooComplex:
        return True
    return False


def _parse_tags(html: str) -> Iterator[tuple[str, bool, str]]:
    """Name, whether it is an end tag, and attributes of each tag; what is no markup is skipped as a parser does."""
    at, foreign = 0, False
    while (token := TOKEN.search(html, at)) is not None:
        at = token.end()
        if token["name"] is None:
            continue
        if at - token.start() > MAX_TAG_LENGTH and len(ATTRIBUTE.findall(token["attributes"])) > MAX_ATTRIBUTES:
            raise TooComplex
        name = token["name"].lower()
        yield name, bool(token["end"]), token["attributes"]
        if name in RAW_TEXT and not token["end"]:
            found = END_OF_RAW_TEXT[name].search(html, at)
            end = len(html) if found is None else found.start()
            if foreign:  # it may be markup after all
                yield from _parse_start_tags(html, at, end)
            at = end
        foreign = foreign or name in FOREIGN


def _parse_start_tags(html: str, at: int, end: int) -> Iterator[tuple[str, bool, str]]:
    for token in TOKEN.finditer(html, at, end):
        if token["name"] and not token["end"]:
            yield token["name"].lower(), False, token["attributes"]


@dataclass(slots=True)
class _OpenElement:
    """A formatting element that was not closed yet. blocks: how many were open outside of it."""

    name: str
    tag: str
    blocks: int

    @property
    def size(self) -> int:
        return _ELEMENT_COST + len(self.name) + len(self.tag)


@dataclass(slots=True)
class _Level:
    """What was opened inside one table, cell or other scope, the outermost included."""

    name: str = ""
    open: list[_OpenElement] = field(default_factory=list)
    tags: Counter[tuple[str, str]] = field(default_factory=Counter)  # how often each is among the open ones

    def append(self, element: _OpenElement) -> None:
        self.open.append(element)
        self.tags[element.name, element.tag] += 1

    def pop(self, position: int) -> _OpenElement:
        element = self.open.pop(position)
        self.tags[element.name, element.tag] -= 1
        return element


class _GrowthEstimate:
    """Counts, at each tag that can close elements, all formatting elements that may have to be opened again."""

    def __init__(self, allowed: int) -> None:
        self.limit = allowed
        self.levels = [_Level()]
        self.names = Counter[str]()  # of the levels
        self.blocks = 0
        self.size = 0  # of all open formatting elements
        self.cost = 0
        self.merged = 0  # characters of the attributes of all tags `html` and `body`

    def process_tag(self, name: str, tag: str, *, end: bool) -> None:
        """One tag. Raises `TooComplex`."""
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
        if (
            name == "a" and (position := self.find_last_open("a")) is not None
        ):  # links do not nest: this one ends the other
            self.close_formatting(position, always=True)
        self.charge(_COMPARISON_COST * len(level.open))
        if level.tags[name, tag] < _MAX_IDENTICAL:
            level.append(_OpenElement(name, tag, self.blocks))
            self.size += level.open[-1].size

    def find_last_open(self, name: str) -> int | None:
        """The position of the innermost open element with this name."""
        level = self.levels[-1].open
        for position in range(len(level) - 1, -1, -1):
            if level[position].name == name:
                self.charge(sum(other.size for other in level[position + 1 :]))  # they are closed with it
                return position
        self.charge(len(level))
        return None

    def close_formatting(self, position: int, *, always: bool = False) -> None:
        """An end tag. It moves the element into the blocks inside it, eight at most; behind them it stays open."""
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
        """The end of a cell: what was opened in it is not opened again outside."""
        self.size -= sum(element.size for element in self.exit_level())

    def leave_scope(self, name: str) -> None:
        """The end of a scope, and of the cells in it; what was opened in the scope itself stays open behind it."""
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

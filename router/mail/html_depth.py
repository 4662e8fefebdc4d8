"""Estimates how deeply a parser nests the elements of HTML. Takes constant time per tag on average.

Elements that a parser adds are not counted; `html_growth` limits the formatting elements that a parser reopens. Parsers
ignore most end tags that close no element (HTML standard 13.2.6.4.7). The estimate ignores all such end tags.
"""

from __future__ import annotations

from collections import defaultdict


def _name_set(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Elements that do not count: void elements, and elements that never nest directly in themselves.
_UNCOUNTED = _name_set(
    "p li td tr th dd dt tbody thead tfoot caption colgroup option html head body "
    "area base bgsound br col embed frame hr img input keygen link meta param source track wbr"
)
# Elements whose end tag also closes everything inside them, unless the end tag is inside a nested scope.
_BLOCKS = _name_set(
    "address article aside blockquote button center details dialog dir div dl fieldset figcaption figure footer header "
    "h1 h2 h3 h4 h5 h6 hgroup listing main menu nav ol pre search section summary ul"
)
# In the estimate, an end tag inside one of these scopes closes no element outside it.
_SCOPES = _name_set("table applet object marquee template svg math select")
_FOREIGN = frozenset({"svg", "math"})
# Most "special" elements (HTML standard 13.2.4.2), and a few others. In the estimate, an end tag inside one that is not
# a scope closes a counted element outside it only if that is a block, a scope or in `_REMOVED_BY_END_TAG`.
_SPECIAL = _BLOCKS | _SCOPES | _name_set("p li td tr th dd dt tbody thead tfoot caption colgroup form plaintext")
# Elements whose end tag removes them even if a special element is open inside them.
_REMOVED_BY_END_TAG = _name_set("a b big code em font form i nobr s small strike strong tt u")
_CLOSED_BY_SAME_TAG = frozenset({"a", "nobr", "button"})


class DepthEstimate:
    """Tracks the open elements and estimates their depth."""

    def __init__(self) -> None:
        self._open: list[str] = []  # names of the open elements, "" for a removed element
        self._removed = 0
        self._positions = defaultdict[str, list[int]](list)
        # Pairs of a position in `_open` and a name. An uncounted element is not in `_open`; the element gets the next
        # position minus 0.5.
        self._scopes: list[tuple[float, str]] = []
        self._special: list[tuple[float, str]] = []
        self._html: list[tuple[float, str]] = []  # HTML elements, which `</svg>` and `</math>` do not close

    def process_tag(self, name: str, *, end: bool) -> int:
        """Returns the estimated depth after the tag."""
        if end:
            self._process_end(name)
        else:
            self._process_start(name)
        return len(self._open) - self._removed

    def _process_start(self, name: str) -> None:
        if name in _UNCOUNTED and not self._is_foreign():
            if name in _SPECIAL:
                self._special.append((len(self._open) - 0.5, name))
            return
        if name in _CLOSED_BY_SAME_TAG:
            self._process_end(name)
        position = len(self._open)
        self._open.append(name)
        self._positions[name].append(position)
        if name in _SCOPES:
            self._scopes.append((position, name))
        if name in _SPECIAL:
            self._special.append((position, name))
        if name in _SPECIAL - _FOREIGN or name in _REMOVED_BY_END_TAG or name == "span":
            self._html.append((position, name))

    def _is_foreign(self) -> bool:
        return any(self._positions[name] for name in _FOREIGN)

    def _process_end(self, name: str) -> None:
        positions = self._positions[name]
        if not positions:
            if self._special and self._special[-1][1] == name and name in _UNCOUNTED:
                self._special.pop()
            return
        position = positions[-1]
        scope = self._scopes[-1][0] if self._scopes else -1
        if position < scope:
            return
        barriers = self._special
        if name in _FOREIGN:  # the end tag of a foreign element does not close an HTML element inside it
            barriers = self._html
        elif name in _BLOCKS or name in _SCOPES:
            barriers = []
        inside = bool(barriers) and barriers[-1][0] > position
        if not inside and not (name == "form" and position < len(self._open) - 1):
            self._close_from(position)
        elif name in _REMOVED_BY_END_TAG:
            positions.pop()
            self._open[position] = ""
            self._removed += 1

    def _close_from(self, position: int) -> None:
        while len(self._open) > position:
            if name := self._open.pop():
                self._positions[name].pop()
            else:
                self._removed -= 1
        for stack in (self._scopes, self._special, self._html):
            while stack and stack[-1][0] >= position:
                stack.pop()

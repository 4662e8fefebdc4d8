"""Joins the lines of a paragraph that a mail program has wrapped, so that a narrow window can wrap them again.

Only line breaks of prose become spaces: the words and their order never change. Lists, quotes, tables, addresses, code
and signatures keep their lines.
"""

from __future__ import annotations

import re
from itertools import groupby, pairwise

MIN_LENGTH, MAX_LENGTH = 55, 80  # characters of a line that a mail program has wrapped
MIN_WORDS = 6
MIN_PROSE = 0.9  # share of letters, spaces and common punctuation
_COLUMNS = re.compile(r"\S(?: {2,}|\t)\S|\|")
_NO_PROSE = re.compile(r"\w{1,3}[.)]|[^:@]*(?::/|@).*", re.DOTALL)  # a mark of a list, or an address
_PUNCTUATION = frozenset(" ,.;!?'\"()-\u2019\u201c\u201d\u2013")


def join_wrapped_lines(text: str) -> str:
    lines = text.split("\n")
    joined: list[str] = []
    for is_blank, group in groupby(lines, lambda line: not line.strip()):
        paragraph = list(group)
        joined += paragraph if is_blank else _join_paragraph(paragraph)
    return "\n".join(joined)


def _join_paragraph(lines: list[str]) -> list[str]:
    """Returns the lines with those joined that a sentence continues on. A table, or a longer line, is left alone."""
    width = max(map(len, lines))
    if not MIN_LENGTH <= width <= MAX_LENGTH or any(_COLUMNS.search(line) for line in lines):
        return lines
    runs = [[lines[0]]]
    for line, following in pairwise(lines):
        if _is_wrapped(line, following, width):
            runs[-1].append(following)
        else:
            runs.append([following])
    return [" ".join(part.rstrip() for part in run[:-1]) + (" " if run[1:] else "") + run[-1] for run in runs]


def _is_wrapped(line: str, following: str, width: int) -> bool:
    """Whether `line` is full and `following` continues it: in lower case, or as another long line."""
    if len(line) < MIN_LENGTH or line.endswith(":") or not following[0].isalpha():
        return False
    first_word = following.split(maxsplit=1)[0]
    if len(line.rstrip()) + 1 + len(first_word) <= width or _NO_PROSE.fullmatch(first_word):
        return False
    return (following[0].islower() or len(following) >= MIN_LENGTH) and _is_prose(line)


def _is_prose(line: str) -> bool:
    if line.count(" ") < MIN_WORDS - 1 or line[0].isspace() or line[0] == ">":
        return False
    return sum(char.isalpha() or char.isdigit() or char in _PUNCTUATION for char in line) >= MIN_PROSE * len(line)

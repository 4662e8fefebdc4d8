"""The words that tickets are found by, made from any text in the same way for the index and for the question.

Both databases index words as we cut them and add no rules of their own: so a search finds the same on both, in any
language, and no text is a syntax error. A word is a run of letters and digits, without regard to case, accents and
the forms of compatible characters. Scripts that put no blanks between words (Chinese, Japanese, Thai, ...) are cut
into pairs of neighbouring characters. Pure and linear. Called by `router.contents` and `router.admin.tickets`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

MAX_TEXT = 65536  # characters of a mail's text that can be found: some 10,000 words
MAX_WORDS = 3500  # different words of a mail, and half those of a ticket: so many of MAX_WORD fit a tsvector (1 MiB)
MAX_WORD = 32  # characters of a word that count: names of hosts and products do, base64 does not
MAX_QUESTION = 1000  # characters of a question that are looked at
MAX_ASKED = 16  # words of a question
# Of a word that is only begun: one letter begins a large part of all words.
MIN_BEGINNING = 2

_WORD = re.compile(r"[^\W_]+")
# Han, Hiragana, Katakana, Bopomofo; Thai, Lao, Myanmar, Khmer. Hangul has blanks between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def of_text(text: str) -> list[str]:
    """The different words of a text, in the order of their first appearance."""
    return list(dict.fromkeys(_words(text[:MAX_TEXT])))[:MAX_WORDS]


def document(workspace_id: str, number: int, *, known: Iterable[str], more: Iterable[str]) -> list[str]:
    """All that a ticket is found by: its workspace and its number (no text has words like these), then words."""
    return list(dict.fromkeys([_scope(workspace_id), _number(number), *known, *more]))[: 2 * MAX_WORDS]


def question(workspace_id: str, text: str) -> str:
    """What asks for the tickets of a workspace that have every word of a text, the last one perhaps only begun.

    In the syntax of PostgreSQL's tsquery (`'a' & 'b':*`); the words hold nothing but letters, digits and `_`. `""`
    when the text has no word at all. A number is a word, and the number of a ticket; `#42` is only that.
    """
    text = text[:MAX_QUESTION].strip()
    if (named := re.fullmatch(r"#([0-9]{1,15})", text)) is not None:
        return f"'{_scope(workspace_id)}' & '{_number(int(named[1]))}'"
    words = list(dict.fromkeys(_words(text, ends=False)))[:MAX_ASKED]
    if not words:
        return ""
    asked = [f"'{word}'" for word in words]
    if _may_go_on(text, words[-1]):
        asked[-1] += ":*"
    found = " & ".join(asked)
    if len(words) == 1 and re.fullmatch(r"[0-9]{1,15}", text) is not None:
        found = f"({found} | '{_number(int(text))}')"
    return f"'{_scope(workspace_id)}' & {found}"


def place(ticket_id: str) -> int:
    """A number of 63 bits that sorts as the ids of tickets do, but for those of one moment, which may share one."""
    number = int(ticket_id.partition("_")[2].translate(_DIGITS), 32)
    return number >> 65


def after(before: str) -> int:
    """Above the place of a ticket with this id and all earlier ones; for the end of all ids, above every place."""
    return min(place(before) + 1, 2**63 - 1)


# The alphabet of `router.ids` (Crockford's) as Python's digits of base 32.
_DIGITS = str.maketrans("0123456789abcdefghjkmnpqrstvwxyz", "0123456789abcdefghijklmnopqrstuv")


def _scope(workspace_id: str) -> str:
    return workspace_id.lower()


def _number(number: int) -> str:
    return f"nr_{number}"


def _may_go_on(text: str, last: str) -> bool:
    """Whether the last word is perhaps only begun; a single character of an unspaced script begins its pairs."""
    if _UNSPACED.fullmatch(last):
        return len(last) == 1
    return len(last) >= MIN_BEGINNING and text[-1:].isalnum()


def _words(text: str, *, ends: bool = True) -> Iterable[str]:
    """ends: the last character of an unspaced run is a word too, so that each character begins one."""
    for found in _WORD.finditer(_plain(text)):
        word = found[0]
        if word.isascii() or _UNSPACED.search(word) is None:
            yield word[:MAX_WORD]
            continue
        at = 0
        for run in _UNSPACED.finditer(word):
            if run.start() > at:
                yield word[at : run.start()][:MAX_WORD]
            yield from _pairs(run[0], ends=ends)
            at = run.end()
        if at < len(word):
            yield word[at:][:MAX_WORD]


def _pairs(run: str, *, ends: bool) -> Sequence[str]:
    pairs = [run[n : n + 2] for n in range(len(run) - 1)]
    return [*pairs, run[-1]] if ends or not pairs else pairs


def _plain(text: str) -> str:
    """Without case, accents and compatibility forms."""
    if text.isascii():
        return text.lower()
    apart = unicodedata.normalize("NFKD", text)
    apart = "".join(character for character in apart if not unicodedata.combining(character))
    return unicodedata.normalize("NFKC", apart.casefold())

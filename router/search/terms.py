"""The words that tickets are found by, made from any text in the same way for the index and for the question.

Both databases index words as we cut them and add no rules of their own: so a search finds the same on both, in any
language, and no text is a syntax error. A word is a run of letters and digits, without regard to case, accents and
the forms of compatible characters. Scripts that put no blanks between words (Chinese, Japanese, Thai, ...) are cut
into pairs of neighbouring characters. Pure and linear.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from router import ids
from router.unicode_text import normalize

MAX_TEXT = 65536  # characters of a mail's text that can be found: some 10,000 words
# Of a text in compatibility form: Hangul takes three times its length, a few ligatures eighteen times.
MAX_EXPANDED = 4 * MAX_TEXT
MAX_WORDS = 3500  # different words of a mail, and half those of a ticket: so many of MAX_WORD fit a tsvector (1 MiB)
MAX_WORD = 32  # characters of a word that count: names of hosts and products do, base64 does not
MAX_QUESTION = 1000  # characters of a question that are looked at
MAX_ASKED = 16  # words of a question
# Of a word that is only begun: one letter begins a large part of all words.
MIN_BEGINNING = 2
# A place is a millisecond and the slot of a ticket within it.
SLOT_BITS = 15
_CHANCE_BELOW = 80 - (SLOT_BITS - 1)  # of an id's 80 random bits, those that a place leaves out

_WORD = re.compile(r"[^\W_]+")
_ID = re.compile(r"[a-z]+_[0-9a-z]+")
# Han, Hiragana, Katakana, Bopomofo; Thai, Lao, Myanmar, Khmer. Hangul has blanks between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def of_text(text: str) -> list[str]:
    """The different words of a text, in the order of their first appearance."""
    return list(dict.fromkeys(_words(text[:MAX_TEXT])))[:MAX_WORDS]


def of_mail(text: str, quoted: str) -> list[str]:
    """The different words of a mail: of its new text, then, within the same bounds, of what was split off from it."""
    return of_text(f"{text[:MAX_TEXT]}\n{quoted[:MAX_TEXT]}")


def document(
    workspace_id: str, number: int, alias_id: str | None, *, known: Iterable[str], more: Iterable[str]
) -> list[str]:
    """All that a ticket is found by: its workspace, its number and its alias, then words.

    Of the first three no text has the like, nor is any begun by what can be asked: they begin with `_`.
    """
    of_itself = [_scope(workspace_id), _number(number), *([_alias(alias_id)] if alias_id else ())]
    return list(dict.fromkeys([*of_itself, *known, *more]))[: 2 * MAX_WORDS]


@dataclass(frozen=True, slots=True)
class Question:
    """What asks for the tickets of a workspace that have every one of some words.

    scope, whole, begun: in the syntax of PostgreSQL's tsquery (`'a' & 'b'`, `('1':* | '_nr_1')`); a word is letters,
    digits and `_`. whole: the words that are written out; begun: the last one, if it is perhaps only begun; either may
    be "", not both. The needles are the same for a document between blanks, which has one of each of these.
    """

    scope: str
    whole: str
    begun: str
    whole_needles: tuple[tuple[str, ...], ...]
    begun_needles: tuple[tuple[str, ...], ...]

    def as_json(self, *, by_whole: bool = False) -> str:
        """For the queries `search_...`, which take of it what they need.

        by_whole: the index is asked for the whole words alone, and what it finds is looked through for the begun one.
        An index reads all that a begun word can become before it tells a hit; which is less depends on the words.
        """
        return json.dumps(
            {
                "scope": self.scope,
                "index": " & ".join(part for part in (self.whole, "" if by_whole else self.begun) if part),
                "further": self.begun_needles if by_whole else (),
                "whole": self.whole_needles,
                "begun": self.begun_needles,
            },
            ensure_ascii=False,
        )


def question(workspace_id: str, text: str, alias_id: str | None = None) -> Question | None:
    """For the tickets of a workspace, or of one alias of it, that have every word of a text.

    The last word is perhaps only begun. None when the text has no word at all, or the alias cannot be one: nothing is
    found then. A number is a word, and the number of a ticket; `#42` is only that.
    """
    if alias_id is not None and _ID.fullmatch(alias_id) is None:
        return None
    text = text[:MAX_QUESTION].strip()
    scope = f"'{_scope(workspace_id)}'"
    always = [[_alias(alias_id)]] if alias_id else []
    if (named := re.fullmatch(r"#([0-9]{1,15})", text)) is not None:
        return _asking(scope, [*always, [_number(int(named[1]))]])
    words = list(_words(text, ends=False))
    if not words:
        return None
    begun = _may_go_on(text, words[-1]) and words[-1] not in words[:-1]
    asked = list(dict.fromkeys(words))
    if len(asked) > MAX_ASKED:
        asked, begun = asked[:MAX_ASKED], False
    parts = [*always, *([word] for word in asked)]
    if len(asked) == 1 and re.fullmatch(r"[0-9]{1,15}", text) is not None:
        parts[-1].append(_number(int(text)))
    return _asking(scope, parts, begun=begun)


def _asking(scope: str, parts: Sequence[Sequence[str]], *, begun: bool = False) -> Question:
    """parts: words, of each of which the tickets have one. begun: the first word of the last part may go on."""
    queries = [[f"'{word}'" for word in part] for part in parts]
    needles = [[f" {word} " for word in part] for part in parts]
    if begun:
        queries[-1][0] += ":*"
        needles[-1][0] = needles[-1][0][:-1]
    words = [part[0] if len(part) == 1 else f"({' | '.join(part)})" for part in queries]
    those = tuple(tuple(part) for part in needles)
    at = len(parts) - begun
    return Question(scope, " & ".join(words[:at]), " & ".join(words[at:]), those[:at], those[at:])


def place(ticket_id: str) -> int:
    """A number of 63 bits that sorts as the ids of tickets do, to the millisecond: within one, many may share it.

    The lowest of its `SLOT_BITS` are random, and half of what they can say: the other half is for `search_upsert`,
    which gives the next number where one is taken. So places of different milliseconds never change sides.
    """
    moment, chance = divmod(ids.number(ticket_id) >> _CHANCE_BELOW, 1 << SLOT_BITS - 1)
    return moment << SLOT_BITS | chance


def _scope(workspace_id: str) -> str:
    return f"_{workspace_id.lower()}"


def _number(number: int) -> str:
    return f"_nr_{number}"


def _alias(alias_id: str) -> str:
    return f"_{alias_id.lower()}"


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
    apart = normalize("NFKD", text)[:MAX_EXPANDED]
    apart = "".join(character for character in apart if not unicodedata.combining(character))
    return normalize("NFKC", apart.casefold())

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

MAX_TEXT_LENGTH = 65536  # characters of a mail's text that can be found: some 10,000 words
# Of a text in compatibility form: Hangul takes three times its length, a few ligatures eighteen times.
MAX_EXPANDED_LENGTH = 4 * MAX_TEXT_LENGTH
MAX_WORDS = 3500  # different words of a mail, and half those of a ticket: so many of MAX_WORD fit a tsvector (1 MiB)
MAX_WORD_LENGTH = 32  # characters of a word that count: names of hosts and products do, base64 does not
MAX_QUERY_LENGTH = 1000  # characters of a question that are looked at
MAX_QUERY_WORDS = 16  # words of a question
# Of a word that is only begun: one letter begins a large part of all words.
MIN_PREFIX_LENGTH = 2
# A place is a millisecond and the slot of a ticket within it.
SLOT_BITS = 15
_OMITTED_BITS = 80 - (SLOT_BITS - 1)  # of an id's 80 random bits, those that a place leaves out

_WORD_PATTERN = re.compile(r"[^\W_]+")
_ID_PATTERN = re.compile(r"[a-z]+_[0-9a-z]+")
# Han, Hiragana, Katakana, Bopomofo; Thai, Lao, Myanmar, Khmer. Hangul has blanks between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def text_words(text: str) -> list[str]:
    """The different words of a text, in the order of their first appearance."""
    return list(dict.fromkeys(_split_words(text[:MAX_TEXT_LENGTH])))[:MAX_WORDS]


def message_words(text: str, quoted: str) -> list[str]:
    """The different words of a mail: of its new text, then, within the same bounds, of what was split off from it."""
    return text_words(f"{text[:MAX_TEXT_LENGTH]}\n{quoted[:MAX_TEXT_LENGTH]}")


def ticket_terms(
    workspace_id: str, number: int, alias_id: str | None, *, existing: Iterable[str], added: Iterable[str]
) -> list[str]:
    """All that a ticket is found by: its workspace, its number and its alias, then words.

    Of the first three no text has the like, nor is any begun by what can be asked: they begin with `_`.
    """
    own_terms = [_workspace_term(workspace_id), _number_term(number), *([_alias_term(alias_id)] if alias_id else ())]
    return list(dict.fromkeys([*own_terms, *existing, *added]))[: 2 * MAX_WORDS]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What asks for the tickets of a workspace that have every one of some words.

    scope, whole, begun: in the syntax of PostgreSQL's tsquery (`'a' & 'b'`, `('1':* | '_nr_1')`); a word is letters,
    digits and `_`. whole: the words that are written out; begun: the last one, if it is perhaps only begun; either may
    be "", not both. The needles are the same for a document between blanks, which has one of each of these.
    """

    scope: str
    complete: str
    prefix: str
    complete_needles: tuple[tuple[str, ...], ...]
    prefix_needles: tuple[tuple[str, ...], ...]

    def to_json(self, *, complete_only: bool = False) -> str:
        """For the queries `search_...`, which take of it what they need.

        by_whole: the index is asked for the whole words alone, and what it finds is looked through for the begun one.
        An index reads all that a begun word can become before it tells a hit; which is less depends on the words.
        """
        return json.dumps(
            {
                "scope": self.scope,
                "index": " & ".join(part for part in (self.complete, "" if complete_only else self.prefix) if part),
                "residual": self.prefix_needles if complete_only else (),
                "complete": self.complete_needles,
                "prefix": self.prefix_needles,
            },
            ensure_ascii=False,
        )


def parse_query(workspace_id: str, text: str, alias_id: str | None = None) -> SearchQuery | None:
    """For the tickets of a workspace, or of one alias of it, that have every word of a text.

    The last word is perhaps only begun. None when the text has no word at all, or the alias cannot be one: nothing is
    found then. A number is a word, and the number of a ticket; `#42` is only that.
    """
    if alias_id is not None and _ID_PATTERN.fullmatch(alias_id) is None:
        return None
    text = text[:MAX_QUERY_LENGTH].strip()
    scope = f"'{_workspace_term(workspace_id)}'"
    fixed_parts = [[_alias_term(alias_id)]] if alias_id else []
    if (number_match := re.fullmatch(r"#([0-9]{1,15})", text)) is not None:
        return _build_query(scope, [*fixed_parts, [_number_term(int(number_match[1]))]])
    words = list(_split_words(text, with_last=False))
    if not words:
        return None
    has_prefix = _may_be_prefix(text, words[-1]) and words[-1] not in words[:-1]
    query_words = list(dict.fromkeys(words))
    if len(query_words) > MAX_QUERY_WORDS:
        query_words, has_prefix = query_words[:MAX_QUERY_WORDS], False
    parts = [*fixed_parts, *([word] for word in query_words)]
    if len(query_words) == 1 and re.fullmatch(r"[0-9]{1,15}", text) is not None:
        parts[-1].append(_number_term(int(text)))
    return _build_query(scope, parts, has_prefix=has_prefix)


def _build_query(scope: str, parts: Sequence[Sequence[str]], *, has_prefix: bool = False) -> SearchQuery:
    """parts: words, of each of which the tickets have one. begun: the first word of the last part may go on."""
    queries = [[f"'{word}'" for word in part] for part in parts]
    needles = [[f" {word} " for word in part] for part in parts]
    if has_prefix:
        queries[-1][0] += ":*"
        needles[-1][0] = needles[-1][0][:-1]
    words = [part[0] if len(part) == 1 else f"({' | '.join(part)})" for part in queries]
    needle_groups = tuple(tuple(part) for part in needles)
    position = len(parts) - has_prefix
    return SearchQuery(
        scope,
        " & ".join(words[:position]),
        " & ".join(words[position:]),
        needle_groups[:position],
        needle_groups[position:],
    )


def index_position(ticket_id: str) -> int:
    """A number of 63 bits that sorts as the ids of tickets do, to the millisecond: within one, many may share it.

    The lowest of its `SLOT_BITS` are random, and half of what they can say: the other half is for `search_upsert`,
    which gives the next number where one is taken. So places of different milliseconds never change sides.
    """
    timestamp_ms, slot = divmod(ids.to_int(ticket_id) >> _OMITTED_BITS, 1 << SLOT_BITS - 1)
    return timestamp_ms << SLOT_BITS | slot


def _workspace_term(workspace_id: str) -> str:
    return f"_{workspace_id.lower()}"


def _number_term(number: int) -> str:
    return f"_nr_{number}"


def _alias_term(alias_id: str) -> str:
    return f"_{alias_id.lower()}"


def _may_be_prefix(text: str, last: str) -> bool:
    """Whether the last word is perhaps only begun; a single character of an unspaced script begins its pairs."""
    if _UNSPACED.fullmatch(last):
        return len(last) == 1
    return len(last) >= MIN_PREFIX_LENGTH and text[-1:].isalnum()


def _split_words(text: str, *, with_last: bool = True) -> Iterable[str]:
    """ends: the last character of an unspaced run is a word too, so that each character begins one."""
    for found in _WORD_PATTERN.finditer(_fold(text)):
        word = found[0]
        if word.isascii() or _UNSPACED.search(word) is None:
            yield word[:MAX_WORD_LENGTH]
            continue
        position = 0
        for run in _UNSPACED.finditer(word):
            if run.start() > position:
                yield word[position : run.start()][:MAX_WORD_LENGTH]
            yield from _split_pairs(run[0], with_last=with_last)
            position = run.end()
        if position < len(word):
            yield word[position:][:MAX_WORD_LENGTH]


def _split_pairs(run: str, *, with_last: bool) -> Sequence[str]:
    pairs = [run[n : n + 2] for n in range(len(run) - 1)]
    return [*pairs, run[-1]] if with_last or not pairs else pairs


def _fold(text: str) -> str:
    """Without case, accents and compatibility forms."""
    if text.isascii():
        return text.lower()
    decomposed = normalize("NFKD", text)[:MAX_EXPANDED_LENGTH]
    decomposed = "".join(character for character in decomposed if not unicodedata.combining(character))
    return normalize("NFKC", decomposed.casefold())

"""Splits text into search terms, in the same way for the index and for queries.

The databases do not split text, so SQLite and PostgreSQL give the same search results in every language. Case, accents
and compatibility forms are ignored. Text in scripts without spaces between words (Chinese, Japanese, Thai, ...) is
split into pairs of adjacent characters. Pure; linear time.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from router import ids
from router.mail.contents import Contents
from router.unicode_text import normalize

MAX_TEXT_LENGTH = 65536  # characters, about 10,000 words
# Characters after decomposition, which makes a Hangul syllable up to three and the ligature U+FDFA 18 characters.
MAX_EXPANDED_LENGTH = 4 * MAX_TEXT_LENGTH
# Distinct words of a text. A ticket has up to twice as many, which fit into a tsvector (1 MiB).
MAX_WORDS = 3500
# Distinct words of the names of a message's attachments: five for each of the 200 attachments that parsing lists.
MAX_FILENAME_WORDS = 1000
MAX_WORD_LENGTH = 32  # shorter than a line of base64
MAX_QUERY_LENGTH = 1000
MAX_QUERY_WORDS = 16
# A single letter as a prefix would match a large part of all words.
MIN_PREFIX_LENGTH = 2
# The term of the workspace begins with this in tickets that are spam (`search_mark_spam`, `search_release_spam`).
SPAM_PREFIX = "_spam"
# The low bits of an index position: the slot of a ticket within its millisecond.
SLOT_BITS = 15
_OMITTED_BITS = 80 - (SLOT_BITS - 1)  # random bits of an id that index positions omit

_WORD_PATTERN = re.compile(r"[^\W_]+")
_ID_PATTERN = re.compile(r"[a-z]+_[0-9a-z]+")
# Han, Hiragana, Katakana, Bopomofo; Thai, Lao, Myanmar, Khmer. Hangul has spaces between words.
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u312f\u31a0-\u31ff\u3400-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff]+"
)


def text_words(text: str) -> list[str]:
    """Returns the distinct words of a text in the order of first appearance, at most `MAX_WORDS`."""
    return list(dict.fromkeys(_split_words(text[:MAX_TEXT_LENGTH])))[:MAX_WORDS]


def message_words(contents: Contents) -> list[str]:
    """Returns the distinct words of a message, at most `MAX_WORDS`.

    The order is that of importance: the filenames of its attachments, which are few, its new text, its quoted text.
    """
    filenames = text_words("\n".join(attachment.filename for attachment in contents.attachments))[:MAX_FILENAME_WORDS]
    texts = text_words(f"{contents.text[:MAX_TEXT_LENGTH]}\n{contents.quoted[:MAX_TEXT_LENGTH]}")
    return list(dict.fromkeys([*filenames, *texts]))[:MAX_WORDS]


def ticket_terms(
    workspace_id: str,
    number: int,
    alias_id: str | None,
    *,
    is_spam: bool = False,
    existing: Iterable[str],
    added: Iterable[str],
) -> list[str]:
    """Returns the terms of a ticket, at most `2 * MAX_WORDS`.

    The terms of workspace, number and alias start with `_`, so no word of a text and no query prefix matches them. That
    of the workspace is the first one.
    """
    own_terms = [_workspace_term(workspace_id, is_spam=is_spam), _number_term(number)]
    own_terms += [_alias_term(alias_id)] if alias_id else []
    terms = dict.fromkeys([*own_terms, *existing, *added])
    terms.pop(_workspace_term(workspace_id, is_spam=not is_spam), None)
    return list(terms)[: 2 * MAX_WORDS]


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A query for the tickets of a workspace that contain all words, and that are spam or not.

    `scope`, `complete` and `prefix` are PostgreSQL tsquery expressions (`'a' & 'b'`, `('1':* | '_nr_1')`) or "".

    Attributes:
        scope: The term of the workspace, for tickets that are spam or for the others.
        complete: The term of the alias, if any, and the words except the one in `prefix`.
        prefix: The last word, if it may be incomplete.
        complete_needles: The condition of `complete`, for a search without the index: the terms of a ticket, separated
            and surrounded by spaces, contain at least one string of each tuple.
        prefix_needles: The condition of `prefix`, in the same form.
    """

    scope: str
    complete: str
    prefix: str
    complete_needles: tuple[tuple[str, ...], ...]
    prefix_needles: tuple[tuple[str, ...], ...]

    def to_json(self, *, complete_only: bool = False) -> str:
        """Returns the parameter `criteria` of `search_window` and `search_match_tickets` as JSON.

        With `complete_only`, the index lookup omits the prefix, and each match is checked for it instead. An index
        lookup of a prefix reads all words that start with it, so the faster method depends on the words.
        """
        parts = (self.complete, "" if complete_only else self.prefix)
        return json.dumps(
            {
                "scope": self.scope,
                "index": " & ".join(part for part in parts if part),
                "residual": self.prefix_needles if complete_only else (),
                "complete": self.complete_needles,
                "prefix": self.prefix_needles,
            },
            ensure_ascii=False,
        )


def parse_query(
    workspace_id: str, text: str, alias_id: str | None = None, *, is_spam: bool = False
) -> SearchQuery | None:
    """Parses a search text, for a workspace or for one of its aliases; returns None if no ticket can match.

    `#42` matches only the ticket with this number, `42` also tickets that contain a word starting with `42`.
    """
    if alias_id is not None and _ID_PATTERN.fullmatch(alias_id) is None:
        return None
    text = text[:MAX_QUERY_LENGTH].strip()
    scope = f"'{_workspace_term(workspace_id, is_spam=is_spam)}'"
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
    """Builds a query. A matching ticket contains at least one word of each part.

    With `has_prefix`, the first word of the last part is a prefix.
    """
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
    """Returns a 63-bit number that sorts like ticket ids, with millisecond precision. It is not always unique.

    The slot within the millisecond is random in the lower half of all slots. If it is taken, `search_upsert` uses the
    next free one. The upper half is reserved for that, so positions of different milliseconds keep their order.
    """
    timestamp_ms, slot = divmod(ids.to_int(ticket_id) >> _OMITTED_BITS, 1 << SLOT_BITS - 1)
    return timestamp_ms << SLOT_BITS | slot


def _workspace_term(workspace_id: str, *, is_spam: bool) -> str:
    return f"{SPAM_PREFIX if is_spam else ''}_{workspace_id.lower()}"


def _number_term(number: int) -> str:
    return f"_nr_{number}"


def _alias_term(alias_id: str) -> str:
    return f"_{alias_id.lower()}"


def _may_be_prefix(text: str, last: str) -> bool:
    """Whether the last word may be incomplete. In a script without spaces, a single character may start a pair."""
    if _UNSPACED.fullmatch(last):
        return len(last) == 1
    return len(last) >= MIN_PREFIX_LENGTH and text[-1:].isalnum()


def _split_words(text: str, *, with_last: bool = True) -> Iterable[str]:
    """Returns the words of a text.

    With `with_last`, the last character of each run in a script without spaces is also a word. Every character of the
    run then starts a word.
    """
    folded = _fold(text)
    if folded.isascii():
        return [word[:MAX_WORD_LENGTH] for word in _WORD_PATTERN.findall(folded)]
    return _split_unspaced_words(folded, with_last=with_last)


def _split_unspaced_words(folded: str, *, with_last: bool) -> Iterator[str]:
    for found in _WORD_PATTERN.finditer(folded):
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
    if text.isascii():
        return text.lower()
    decomposed = normalize("NFKD", text)[:MAX_EXPANDED_LENGTH]
    decomposed = "".join(character for character in decomposed if not unicodedata.combining(character))
    return normalize("NFKC", decomposed.casefold())

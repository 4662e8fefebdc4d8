"""Unicode normalisation in linear time. Pure.

`unicodedata.normalize` sorts each run of combining marks in quadratic time while it holds the GIL. Therefore runs are
first limited to the length that the Stream-Safe Text Format allows. No other module calls `unicodedata.normalize`.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

# The maximum of the Stream-Safe Text Format (UAX 15). No writing system needs that many.
MAX_MARKS = 30
# In characters. A character decomposes to at most three non-starters, so a shorter run never exceeds `MAX_MARKS`.
_MIN_LONG_RUN = MAX_MARKS // 3
_BLANK_CHARACTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# No character beyond the first two planes is a non-starter.
_MARK_CODE_LIMIT = 0x20000


def limit_marks(text: str) -> str:
    """Removes the marks beyond `MAX_MARKS` from each run of combining marks."""
    if text.isascii() or len(text) < _MIN_LONG_RUN:
        return text
    return _long_run_pattern().sub(lambda match: _limit_run(match[0]), text)


def has_long_marks(text: str) -> bool:
    return limit_marks(text) != text


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    return unicodedata.normalize(form, limit_marks(text))


@cache
def _long_run_pattern() -> re.Pattern[str]:
    marks = "".join(chr(code) for code in range(_MARK_CODE_LIMIT) if _is_mark(chr(code)))
    return re.compile(f".[{re.escape(marks)}]{{{_MIN_LONG_RUN - 1},}}", re.DOTALL)


def _is_mark(character: str) -> bool:
    """Returns whether the decomposition of a character starts with a combining mark.

    Some such characters have the combining class 0 themselves.
    """
    if unicodedata.combining(character):
        return True
    if not unicodedata.decomposition(character):
        return False
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) > 0


def is_visible(text: str) -> bool:
    """Returns whether the text contains any visible character."""
    return any(
        unicodedata.category(character)[0] not in "ZCM" and character not in _BLANK_CHARACTERS for character in text
    )


def _limit_run(run: str) -> str:
    """Returns the longest prefix with at most `MAX_MARKS` marks."""
    count = 0
    for position, character in enumerate(run):
        form = unicodedata.normalize("NFKD", character)
        count += len(form) - len(_strip_final_marks(form))
        if count > MAX_MARKS:
            return run[:position]
    return run


def _strip_final_marks(form: str) -> str:
    end = len(form)
    while end and unicodedata.combining(form[end - 1]):
        end -= 1
    return form[:end]

"""Unicode normalisation in linear time: every call of `unicodedata.normalize` in the product is here.

`unicodedata.normalize` sorts each run of combining marks in time that grows with the square of its length, and keeps
the interpreter's lock meanwhile. Runs are therefore cut to the length of the Stream-Safe Text Format first. Pure.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from typing import Literal

# Non-starters in a row in the NFKD form (UAX 15, Stream-Safe Text Format); no writing system needs as many.
MAX_MARKS = 30
# A character decomposes to at most three non-starters, so a shorter run is never too long.
_MIN_LONG_RUN = MAX_MARKS // 3
# Letters and symbols without ink: Hangul fillers and the empty Braille pattern.
_BLANK_CHARACTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
# No character behind the first two planes is a non-starter.
_MARK_CODE_LIMIT = 0x20000


def limit_marks(text: str) -> str:
    """The text without the marks that exceed `MAX_MARKS` in a row. Text in the Stream-Safe format is unchanged."""
    if text.isascii() or len(text) < _MIN_LONG_RUN:
        return text
    return _long_run_pattern().sub(lambda match: _limit_run(match[0]), text)


def has_long_marks(text: str) -> bool:
    """Whether `limit_marks` would change the text."""
    return limit_marks(text) != text


def normalize(form: Literal["NFC", "NFD", "NFKC", "NFKD"], text: str) -> str:
    """`unicodedata.normalize` of the text with its runs of marks limited."""
    return unicodedata.normalize(form, limit_marks(text))


@cache
def _long_run_pattern() -> re.Pattern[str]:
    """A character and at least `_MIN_LONG_RUN - 1` non-starters behind it."""
    marks = "".join(chr(code) for code in range(_MARK_CODE_LIMIT) if _is_mark(chr(code)))
    return re.compile(f".[{re.escape(marks)}]{{{_MIN_LONG_RUN - 1},}}", re.DOTALL)


def _is_mark(character: str) -> bool:
    """Whether the character's NFKD form consists of non-starters: some have no combining class of their own."""
    if unicodedata.combining(character):
        return True
    if not unicodedata.decomposition(character):
        return False
    return unicodedata.combining(unicodedata.normalize("NFKD", character)[0]) > 0


def is_visible(text: str) -> bool:
    """Whether there is anything to see: marks, spaces, format characters and blank letters alone are nothing."""
    return any(
        unicodedata.category(character)[0] not in "ZCM" and character not in _BLANK_CHARACTERS for character in text
    )


def _limit_run(run: str) -> str:
    """The longest beginning of a character and the marks behind it that has no more than `MAX_MARKS`."""
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

"""The initials and the colour of a person, which stand in for a picture."""

from __future__ import annotations

import unicodedata
import zlib

HUES = 6  # the classes `hue-0` to `hue-5` of the stylesheet


def initials(name: str) -> str:
    """Returns the first letters of the first and the last word of a name or an address, `?` without a letter.

    A name in a script without upper case, such as Japanese, has one letter.
    """
    words = [word for word in map(_letters, name.partition("@")[0].replace(".", " ").split()) if word]
    if not words:
        return "?"
    first, last = words[0][0], words[-1][0]
    return (first + last).upper() if len(words) > 1 and first.upper() != first.lower() else first.upper()


def hue(key: str) -> int:
    """Returns the number of a colour, always the same for a person. `key` is the address or the id."""
    return zlib.crc32(key.casefold().encode("utf-8", "replace")) % HUES


def _letters(word: str) -> str:
    return "".join(character for character in word[:50] if unicodedata.category(character)[0] in "LN")

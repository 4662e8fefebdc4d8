"""The initials and the colour of a person, which stand in for a picture."""

from __future__ import annotations

import unicodedata
import zlib
from collections.abc import Iterable, Mapping

from router.model import User

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


def team_hues(users: Iterable[User]) -> Mapping[str, int]:
    """Returns the numbers of the colours of users by id and by address, in the order in which they were added.

    So up to `HUES` users have different colours.
    """
    ranked = enumerate(sorted(users, key=lambda user: user.id))
    return {key: rank % HUES for rank, user in ranked for key in (user.id, user.email)}


def hue(key: str) -> int:
    """Returns the number of the colour of somebody who is no user, always the same for the same address or id."""
    return zlib.crc32(key.casefold().encode("utf-8", "replace")) % HUES


def _letters(word: str) -> str:
    return "".join(character for character in word[:50] if unicodedata.category(character)[0] in "LN")

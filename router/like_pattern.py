"""Patterns of LIKE for a text that a user searches for. Pure.

The column must be in lower case: `lower(name) LIKE :q ESCAPE '\\'`. SQLite changes only ASCII letters to lower case, so
another letter that has two cases matches any character in its place.
"""

from __future__ import annotations

from router.unicode_text import normalize

MAX_LENGTH = 1000  # longer than any name or address, so that a longer text matches nothing


def contains(text: str) -> str:
    """Returns the pattern of the texts that contain a text, in upper or lower case. Ignores spaces at its ends."""
    return f"%{''.join(map(_escape, normalize('NFC', text.strip()[:MAX_LENGTH])))}%"


def _escape(character: str) -> str:
    if character in "%_\\":
        return f"\\{character}"
    if character.isascii():
        return character.lower()
    return character if character.lower() == character.upper() else "_"

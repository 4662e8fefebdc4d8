"""Builds the subjects of replies."""

from __future__ import annotations

from router.mail.decode import clean_line
from router.mail.quotes.subjects import strip_reply_prefixes

MAX_SUBJECT_LENGTH = 900
"""Characters of a subject, which leaves space for prefixes that receivers add."""
PREFIX = "Re:"


def reply_subject(subject: str) -> str:
    """Returns the subject of a reply: `Re: ` and the subject without the prefixes of replies, in any known language.

    Raises:
        ValueError: The subject contains a line break or NUL.
    """
    check_subject(subject)
    remaining = strip_reply_prefixes(clean_line(subject, 2 * MAX_SUBJECT_LENGTH))
    return f"{PREFIX} {remaining[:MAX_SUBJECT_LENGTH]}".rstrip()


def check_subject(subject: str) -> None:
    """Raises ValueError if the subject contains a line break or NUL, which could add header fields."""
    if any(character in subject for character in "\r\n\0"):
        raise ValueError("the subject contains a line break or a NUL character")

"""What a text from a person or program must be before it is kept: bounded, and without characters that deceive.

Each function returns the text as it is to be kept or raises `Refused` naming the field. Control characters, NUL,
direction overrides and lone surrogates never get through: they would break a log, a terminal or the database, or
show people something else than is there. Pure; called by the use cases.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeVar

from router import ids, local_time
from router.errors import ErrorCode, Refused, not_found
from router.unicode_security import shown_line
from router.unicode_text import MAX_MARKS, has_long_marks, is_visible, normalize

C = TypeVar("C", bound=str)

# C0 and C1 controls and DEL, line and paragraph separators, embeddings, overrides and isolates (UAX 9), lone
# surrogates, interlinear marks, the byte order mark and what is no character.
_FORBIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufff9-\ufffb\ufeff\ufffe\uffff"
)
_FORBIDDEN_IN_TEXT = re.compile(f"[{_FORBIDDEN}]")
_FORBIDDEN_IN_LINE = re.compile(f"[{_FORBIDDEN}\t\n\r]")

MAX_NAME_LENGTH = 200
MAX_NOTE_LENGTH = 20_000
MAX_NUMBER_DIGITS = 12  # digits of a ticket's number


def validate_line(
    value: str, field: str, *, max_length: int = MAX_NAME_LENGTH, code: ErrorCode = "invalid_request"
) -> str:
    """One line that is not empty: composed (NFC), without white space around it, at most `most` characters.

    Characters without width are refused: with one of them, two names look the same and are not.
    """
    if len(value) > max_length * 4:
        raise Refused(code, f"{field} must not be longer than {max_length} characters", field)
    if _FORBIDDEN_IN_LINE.search(value):
        raise Refused(code, f"{field} must not contain control or directional formatting characters", field)
    if has_long_marks(value):  # refused, not cut: an address or a name is never stored as another one
        raise Refused(code, f"{field} must not contain more than {MAX_MARKS} combining marks in a row", field)
    kept = normalize("NFC", value).strip()
    if shown_line(kept) != kept:
        raise Refused(code, f"{field} must not contain invisible characters", field)
    if not is_visible(kept):
        raise Refused(code, f"{field} must not be empty", field)
    if len(kept) > max_length:
        raise Refused(code, f"{field} must not be longer than {max_length} characters", field)
    return kept


def validate_text(value: str, field: str) -> str:
    """Several lines that are not empty, with `\\n` as the line end."""
    if len(value) > MAX_NOTE_LENGTH:
        raise Refused("invalid_request", f"{field} must not be longer than {MAX_NOTE_LENGTH} characters", field)
    kept = value.replace("\r\n", "\n").replace("\r", "\n")
    if _FORBIDDEN_IN_TEXT.search(kept):
        raise Refused(
            "invalid_request", f"{field} must not contain control or directional formatting characters", field
        )
    if not kept.strip():
        raise Refused("invalid_request", f"{field} must not be empty", field)
    return kept


def validate_choice(value: str, choices: Sequence[C], field: str, *, code: ErrorCode = "invalid_request") -> C:
    """The choice that a word names."""
    for choice in choices:
        if value == choice:
            return choice
    raise Refused(code, f"{field} must be one of: {', '.join(choices)}", field)


def validate_timezone(value: str, field: str = "timezone") -> str:
    """The name of a time zone of the IANA database."""
    if value not in local_time.timezone_names():
        raise Refused("invalid_request", f"{field} must be an IANA time zone such as Europe/Berlin", field)
    return value


def validate_id(value: str, prefix: ids.Prefix, resource: str) -> str:
    """An id that may exist. What cannot be one is answered as what does not exist, without asking the database."""
    if not ids.looks_valid(value, prefix):
        raise not_found(resource)
    return value


def parse_ticket_number(text: str) -> int | None:
    """The number that `42` or `#42` means; None for a text that is no ticket's number."""
    digits = text.strip().removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) <= MAX_NUMBER_DIGITS:
        return int(digits)
    return None

"""Validation of texts from users and programs.

The `validate` functions return the normalised value or raise `Refused`. Control characters, directional
overrides and lone surrogates can corrupt logs, terminals and the database, or mislead readers.
"""

from __future__ import annotations

import re

from router import ids, local_time
from router.enumerations import IdPrefix
from router.errors import ErrorCode, Refused, not_found_error
from router.mail.decode import clean_text
from router.unicode_security import safe_line
from router.unicode_text import MAX_MARKS, has_long_marks, is_visible, normalize

# Controls except tab, LF and CR; line and paragraph separators; embeddings, overrides and isolates (UAX 9); lone
# surrogates, interlinear annotation characters, the byte order mark, U+FFFE and U+FFFF.
_FORBIDDEN = (
    "\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff"
    "\ufff9-\ufffb\ufeff\ufffe\uffff"
)
_FORBIDDEN_IN_TEXT = re.compile(f"[{_FORBIDDEN}]")
_FORBIDDEN_IN_LINE = re.compile(f"[{_FORBIDDEN}\t\n\r]")

MAX_NAME_LENGTH = 200
MAX_NOTE_LENGTH = 20_000
MAX_NUMBER_DIGITS = 12


def validate_line(
    value: str, field: str, *, max_length: int = MAX_NAME_LENGTH, code: ErrorCode = "invalid_request"
) -> str:
    """Returns the line in NFC and without surrounding white space. Rejects an empty line.

    Also rejects the characters that `safe_line` removes, which can make different names look the same.
    """
    if len(value) > max_length * 4:
        raise Refused(code, f"{field} must not be longer than {max_length} characters", field)
    if _FORBIDDEN_IN_LINE.search(value):
        raise Refused(code, f"{field} must not contain control or directional formatting characters", field)
    if has_long_marks(value):  # normalize() would remove marks and thus change the name
        raise Refused(code, f"{field} must not contain more than {MAX_MARKS} combining marks in a row", field)
    line = normalize("NFC", value).strip()
    if safe_line(line) != line:
        raise Refused(code, f"{field} must not contain invisible characters", field)
    if not is_visible(line):
        raise Refused(code, f"{field} must not be empty", field)
    if len(line) > max_length:
        raise Refused(code, f"{field} must not be longer than {max_length} characters", field)
    return line


def validate_text(value: str, field: str, *, max_length: int = MAX_NOTE_LENGTH) -> str:
    r"""Returns the text with `\n` as the line terminator. Rejects blank text."""
    if len(value) > max_length:
        raise Refused("invalid_request", f"{field} must not be longer than {max_length} characters", field)
    text = value.replace("\r\n", "\n").replace("\r", "\n")
    if _FORBIDDEN_IN_TEXT.search(text):
        raise Refused(
            "invalid_request", f"{field} must not contain control or directional formatting characters", field
        )
    if not text.strip():
        raise Refused("invalid_request", f"{field} must not be empty", field)
    return text


def clean_long_text(value: str, field: str, *, max_length: int) -> str:
    """Returns a text of a mail without control characters. Pasted texts can contain invisible ones."""
    if len(value) > max_length:
        raise Refused("invalid_request", f"{field} must not be longer than {max_length} characters", field)
    return clean_text(value)


def validate_timezone(value: str, field: str = "timezone") -> str:
    if value not in local_time.timezone_names():
        raise Refused("invalid_request", f"{field} must be an IANA time zone such as Europe/Berlin", field)
    return value


def validate_id(value: str, prefix: IdPrefix, resource: str) -> str:
    """Raises `not_found` for a malformed id, so that it needs no query."""
    if not ids.is_well_formed(value, prefix):
        raise not_found_error(resource)
    return value


def parse_ticket_number(text: str) -> int | None:
    """Parses `42` or `#42`. Returns None for other texts."""
    digits = text.strip().removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) <= MAX_NUMBER_DIGITS:
        return int(digits)
    return None

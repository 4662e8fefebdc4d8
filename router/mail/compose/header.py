"""Writes header fields (RFC 5322, RFC 2047): folded, in ASCII, and without line breaks in their values.

Only the local parts of internationalized addresses are not ASCII (RFC 6532). Each function returns a whole field with
CRLF at its end, "" if the field has no value, and raises ValueError for a value that cannot be written.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from router.mail.address import MAX_MAILBOX_BYTES, Mailbox, domain_key, parse_mailbox
from router.mail.compose.references import is_message_id
from router.mail.contents import NamedMailbox
from router.mail.decode import clean_line
from router.model import Micros

# Bytes without CRLF: the limit of RFC 2047 section 2, which is below that of RFC 5322. A single word may be longer.
MAX_LINE_LENGTH = 76
MAX_NAME_LENGTH = 128  # characters of a display name
MAX_MAILBOXES = 200
# RFC 2047 section 2 allows 75 characters; these fit behind `Reply-To: `.
_MAX_ENCODED_WORD_LENGTH = 64
_ENCODED_WORD_FRAME = len("=?utf-8?b??=")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NOT_IN_VALUE = re.compile("[\\x00\r\n]")
_PHRASE = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")
_TOKEN = re.compile(rf"[!-~]{{0,{MAX_LINE_LENGTH}}}")
_NEEDS_QUOTED_PAIR = re.compile(r'(["\\])')


def build_date(name: str, at: Micros) -> str:
    """Returns a date in UTC."""
    return build_structured(name, [format_datetime((_EPOCH + timedelta(microseconds=at)).replace(microsecond=0))])


def build_mailboxes(name: str, mailboxes: Sequence[NamedMailbox]) -> str:
    """Returns an address list (section 3.4). Domains are A-labels."""
    if len(mailboxes) > MAX_MAILBOXES:
        raise ValueError(f"{name} has more than {MAX_MAILBOXES} addresses")
    words: list[str] = []
    for number, mailbox in enumerate(mailboxes, 1):
        display_name = _check_value(name, mailbox.name)
        address = build_address(mailbox.address)
        named = [*_encode_phrase(clean_line(display_name, MAX_NAME_LENGTH)), f"<{address}>"]
        words += named if len(named) > 1 else [address]
        words[-1] += "," if number < len(mailboxes) else ""
    return build_structured(name, words)


def build_address(address: str) -> str:
    """Returns an address with its domain in A-labels. The local part is quoted if necessary.

    Raises:
        AddressError: The address is invalid; a ValueError.
    """
    mailbox = parse_mailbox(address, local_part_limit=MAX_MAILBOX_BYTES)  # the server of the recipient decides
    if not mailbox.domain:
        raise ValueError(f"{address} has no domain")
    return str(Mailbox(mailbox.local_part, domain_key(mailbox.domain)))


def build_text(name: str, text: str) -> str:
    """Returns an unstructured field (section 2.2.1) of one line of text."""
    text = clean_line(_check_value(name, text), len(text))
    words = text.split()
    if text.isascii() and "=?" not in text and all(len(word) <= _MAX_ENCODED_WORD_LENGTH for word in words):
        return build_structured(name, words)
    return build_structured(name, _encode_words(text))


def build_ids(name: str, message_ids: Iterable[str]) -> str:
    """Returns Message-IDs (section 3.6.4), which are given without angle brackets."""
    words: list[str] = []
    for message_id in message_ids:
        if not is_message_id(message_id):
            raise ValueError(f"{name} has an invalid Message-ID")
        words.append(f"<{message_id}>")
    return build_structured(name, words)


def build_token(name: str, token: str) -> str:
    """Returns a field whose value is a short word of printable ASCII."""
    if not _TOKEN.fullmatch(token):
        raise ValueError(f"{name} is not one word of ASCII")
    return build_structured(name, [token] if token else [])


def build_structured(name: str, words: Sequence[str]) -> str:
    """Joins words with spaces, and folds the lines between them. A word is never split."""
    if not words:
        return ""
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        if len(lines[-1].encode()) + 1 + len(word.encode()) <= MAX_LINE_LENGTH:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "\r\n".join(lines) + "\r\n"


def _check_value(name: str, value: str) -> str:
    if _NOT_IN_VALUE.search(value):
        raise ValueError(f"{name} contains a line break or a NUL character")
    return value


def _encode_phrase(text: str) -> list[str]:
    """Returns the words of a display name (RFC 5322 section 3.2.5, RFC 2047 section 5)."""
    words = text.split()
    if not text.isascii() or "=?" in text or len(text) > _MAX_ENCODED_WORD_LENGTH:
        return _encode_words(text)
    if _PHRASE.fullmatch(text):
        return words
    return ['"' + _NEEDS_QUOTED_PAIR.sub(r"\\\1", text) + '"']


def _encode_words(text: str) -> list[str]:
    """Encodes text as encoded words of whole characters (RFC 2047). Spaces between them are not part of the text."""
    max_bytes = (_MAX_ENCODED_WORD_LENGTH - _ENCODED_WORD_FRAME) // 4 * 3
    chunks = [b""]
    for character in text:
        data = character.encode()
        if len(chunks[-1]) + len(data) > max_bytes:
            chunks.append(b"")
        chunks[-1] += data
    return [f"=?utf-8?b?{b2a_base64(chunk, newline=False).decode('ascii')}?=" for chunk in chunks if chunk]

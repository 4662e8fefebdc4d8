"""Finds the identities of our replies in the content of a bounce, wherever it returns them.

A bounce returns our message, its header, or only its envelope sender, and some return them as quoted text. So the
content is scanned, not parsed: linear, and only at its start and end. What is found may be forged or foreign; the
caller looks it up.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

# The report and the header of the returned message are near the start; some servers append the report.
MAX_START_BYTES, MAX_END_BYTES = 262144, 65536
# Identities of each kind. A message of ours has one of each, and a conversation as many replies as were quoted.
MAX_IDS = 20

_TOKEN = rb"[a-z2-7]{26}"
# Each pattern begins with literal bytes, for which `re` searches fast. A forwarder that rewrites the envelope sender
# (SRS, VERP) writes `=` instead of `@`, and quoted-printable text may contain `=40`.
_MESSAGE_ID = re.compile(rb"er\.(" + _TOKEN + rb")(?:@|=40)([a-z0-9][a-z0-9.-]{0,252})")
_ANCHOR = re.compile(rb"(?:er\.t\.|\+t-)(" + _TOKEN + rb")(?:@|=40)")
_BOUNCE_TOKEN = re.compile(rb"b-(" + _TOKEN + rb")[@=]")
# A field that says which message was returned. Other ids are those of earlier messages of the conversation.
_ID_FIELD = re.compile(rb"message-id:\s{0,20}<([!-;=?-~]{1,250})>")
# A part in base64: servers that write no report encode their text so in many languages.
_BASE64_FIELD = re.compile(rb"content-transfer-encoding:[ \t]{0,20}base64\b", re.IGNORECASE)
_EMPTY_LINE = re.compile(rb"\n\r?\n")
# A line break that quoted-printable encoding adds (RFC 2045 section 6.7).
_SOFT_BREAK = re.compile(rb"=[ \t]{0,20}\r?\n")


@dataclass(frozen=True, slots=True)
class ReturnedIds:
    """Identities in the form for comparison, in the order of their appearance.

    Attributes:
        tokens: Of envelope senders (`b-<token>`).
        message_ids: Those in Message-ID fields, without angle brackets. A smarthost may have assigned them.
        anchors: The tokens of tickets in anchors of References and in tags of addresses.
        mentioned_ids: Message-IDs of replies anywhere else.
    """

    tokens: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    anchors: tuple[str, ...] = ()
    mentioned_ids: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.tokens or self.message_ids or self.anchors or self.mentioned_ids)


NO_IDS = ReturnedIds()


def find_returned_ids(content: bytes) -> ReturnedIds:
    original = _scanned_bytes(content)
    if b"=\n" in original or b"=\r\n" in original or b"= " in original:
        original = _SOFT_BREAK.sub(b"", original)
    original = b"\n".join((original, *_decode_parts(original)))
    data = original.lower()
    message_ids = _first_ids(_stored_id(original[slice(*match.span(1))]) for match in _ID_FIELD.finditer(data))
    mentioned_ids = _first_ids(
        b"er." + match[1] + b"@" + match[2].rstrip(b".-") for match in _MESSAGE_ID.finditer(data)
    )
    found = ReturnedIds(
        tokens=_first_ids(match[1] for match in _BOUNCE_TOKEN.finditer(data)),
        message_ids=message_ids,
        anchors=_first_ids(match[1] for match in _ANCHOR.finditer(data)),
        mentioned_ids=tuple(each for each in mentioned_ids if each not in message_ids),
    )
    return found or NO_IDS


def _decode_parts(data: bytes) -> Iterator[bytes]:
    """Yields the decoded parts in base64. Each search begins behind the previous part."""
    at = 0
    while (field := _BASE64_FIELD.search(data, at)) and (header_end := _EMPTY_LINE.search(data, field.end())):
        at = data.find(b"\n--", header_end.end())
        at = len(data) if at < 0 else at
        with suppress(binascii.Error):
            yield binascii.a2b_base64(data[header_end.end() : at] + b"==")


def _stored_id(found: bytes) -> bytes:
    """Returns a Message-ID in the form for comparison: those of our replies are lower-case."""
    lowered = found.lower().replace(b"=40", b"@")
    return lowered if _MESSAGE_ID.fullmatch(lowered) else found


def _scanned_bytes(content: bytes) -> bytes:
    if len(content) <= MAX_START_BYTES + MAX_END_BYTES:
        return content
    return content[:MAX_START_BYTES] + b"\n" + content[-MAX_END_BYTES:]


def _first_ids(found: Iterable[bytes]) -> tuple[str, ...]:
    first: dict[str, None] = {}
    for value in found:
        first[value.decode("ascii")] = None
        if len(first) == MAX_IDS:
            break
    return tuple(first)

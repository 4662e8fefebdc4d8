"""The canonical forms of header fields and bodies (RFC 6376 section 3.4), for verifying and for signing.

Takes n log n time for any message. The header is the one that `router.mail.headers` reads, so that a signature covers
what is displayed. A bare LF counts as a line ending (section 5.3), and all results have CRLF.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from router.mail.headers import find_header_block

Algorithm = Literal["simple", "relaxed"]
# The default of [smtp] max_header_bytes. Signatures of a larger header are not verified.
MAX_HEADER_BYTES = 262144

_CRLF = b"\r\n"
_NEXT_FIELD = re.compile(rb"\r\n(?![ \t])")


@dataclass(frozen=True, slots=True)
class SignableField:
    """A header field. `name` is in lower case, "" if the line is no field; `raw` has no CRLF at its end."""

    name: bytes
    raw: bytes


@dataclass(frozen=True, slots=True)
class SignableMessage:
    """A message with CRLF line endings."""

    fields: tuple[SignableField, ...]
    body: bytes


def read_message(content: bytes) -> SignableMessage:
    """Splits a message. The part of the header beyond `MAX_HEADER_BYTES` counts as body."""
    block = find_header_block(content, MAX_HEADER_BYTES)
    header = _to_crlf(block.data).removesuffix(b"\n").removesuffix(b"\r")
    fields = tuple(SignableField(_field_name(raw), raw) for raw in _NEXT_FIELD.split(header))
    return SignableMessage(fields, _to_crlf(content[block.body_start :]))


def select_fields(fields: Sequence[SignableField], names: Sequence[bytes]) -> list[SignableField]:
    """Returns the fields that `h=` names, the lowest of a name first (RFC 6376 section 5.4.2).

    Args:
        names: In lower case. A name that occurs more often than its field stands for no field.
    """
    remaining: dict[bytes, list[SignableField]] = {name: [] for name in names}
    for field in fields:
        if field.name in remaining:
            remaining[field.name].append(field)
    return [remaining[name].pop() for name in names if remaining[name]]


def header_hash_input(fields: Iterable[SignableField], signature: SignableField, algorithm: Algorithm) -> bytes:
    """Returns the bytes that are signed (RFC 6376 section 3.7).

    Args:
        signature: The DKIM-Signature field with an empty `b=`.
    """
    pieces = [canonicalize_field(field, algorithm) for field in (*fields, signature)]
    return b"".join(pieces).removesuffix(_CRLF)


def canonicalize_field(field: SignableField, algorithm: Algorithm) -> bytes:
    """Returns a field with CRLF at its end."""
    if algorithm == "simple":
        return field.raw + _CRLF
    value = field.raw.partition(b":")[2].replace(_CRLF, b"")
    return field.name + b":" + _collapse_spaces(value).strip(b" ") + _CRLF


def canonicalize_body(body: bytes, algorithm: Algorithm) -> bytes:
    """Returns a body, whose line endings are CRLF, without empty lines at its end.

    The simple form of an empty body is CRLF, the relaxed form is empty.
    """
    if algorithm == "relaxed":
        # No more than one space precedes a CRLF now, so each removal looks at one byte.
        body = _collapse_spaces(body).replace(b" \r\n", _CRLF).removesuffix(b" ")
    end = _end_of_text(body)
    return body[:end] + _CRLF if end or algorithm == "simple" else b""


def _collapse_spaces(data: bytes) -> bytes:
    """Replaces each sequence of spaces and tabs with one space. Each pass halves the length of all sequences."""
    data = data.replace(b"\t", b" ")
    while b"  " in data:
        data = data.replace(b"  ", b" ")
    return data


def _end_of_text(body: bytes) -> int:
    """Returns the offset of the CRLFs at the end. A CR that belongs to no CRLF is text."""
    text = len(body.rstrip(_CRLF))
    if not body.endswith(b"\n"):
        return len(body)
    return text + body[text:].rfind(b"\r\r") + 1


def _to_crlf(data: bytes) -> bytes:
    if data.count(b"\n") == data.count(_CRLF):
        return data
    return data.replace(_CRLF, b"\n").replace(b"\n", _CRLF)


def _field_name(raw: bytes) -> bytes:
    """Returns the name as `router.mail.headers.read_fields` does."""
    name, colon, _ = raw.partition(_CRLF)[0].partition(b":")
    return name.rstrip().lower() if colon else b""

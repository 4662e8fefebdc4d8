"""Generates the trace header fields of an exported message (RFC 5321 section 4.4).

The fields contain values of the stored envelope. A value from the peer is untrusted and reduced to characters that
cannot end a field, a comment or a clause.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

from router.model import Message
from router.network import parse_address

_NOT_HOST = re.compile(r"[^A-Za-z0-9.:_\[\]-]")
_NOT_WORD = re.compile(r"[^A-Za-z0-9_.-]")
_NOT_COMMENT = re.compile(r"[^A-Za-z0-9 ._:/=+-]")
_NOT_PATH = re.compile("[\\x00-\\x20\\x7f-\\x9f<>\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_MAX_LINE_LENGTH = 78  # RFC 5322 section 2.1.1


def render(message: Message, recipients: Sequence[str] = (), *, results: bytes = b"") -> bytes:
    """Returns `Return-Path` and `Received` with CRLF line endings.

    Args:
        recipients: The envelope recipients that may be disclosed. A single one is written in a `for` clause; several
            would disclose blind copies (RFC 5321 section 7.2).
        results: The field Authentication-Results, for the place between the two.
    """
    # A null reverse-path is "<>" (RFC 5321 section 4.1.2); SMTPUTF8 addresses stay UTF-8 (RFC 6531 section 3.7.3).
    return_path = f"Return-Path: <{_clean_path(message.reverse_path)}>\r\n"
    clauses = [
        f"from {_clean_host(message.helo) or 'unknown'} ({_address_literal(message.peer)})",
        f"by {_clean_host(message.received_by) or 'localhost'}",
        f"with {_clean(_NOT_WORD, message.protocol, 32) or 'SMTP'}",
    ]
    if message.tls:
        clauses.append(f"({_clean(_NOT_COMMENT, message.tls, 100)})")
    clauses.append(f"id {_clean(_NOT_WORD, message.id, 64)}")
    if len(recipients) == 1:
        clauses.append(f"for <{_clean_path(recipients[0])}>")
    clauses[-1] += ";"
    clauses.append(format_datetime(datetime.fromtimestamp(message.received_at // 1_000_000, UTC)))
    received = "".join(f"{line}\r\n" for line in fold("Received:", clauses))
    return return_path.encode() + results + received.encode()


def fold(name: str, clauses: Sequence[str]) -> list[str]:
    """Returns the lines of a header field. A line is longer than recommended only for a longer clause."""
    lines = [name]
    for clause in clauses:
        if len(lines[-1]) + 1 + len(clause) > _MAX_LINE_LENGTH and lines[-1].strip() != name:
            lines.append(f"\t{clause}")
        else:
            lines[-1] += f" {clause}"
    return lines


def _clean(unwanted: re.Pattern[str], text: str, limit: int) -> str:
    return unwanted.sub("", text[: limit * 4])[:limit]


def _clean_host(text: str) -> str:
    return _clean(_NOT_HOST, text, 255)


def _clean_path(text: str) -> str:
    return _clean(_NOT_PATH, text, 320)


def _address_literal(text: str) -> str:
    """Returns an address literal (RFC 5321 section 4.1.3), `[unknown]` for other text."""
    address = parse_address(text)
    if address is None:
        return "[unknown]"
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"

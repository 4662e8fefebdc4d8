"""Writes DNS records as lines of a zone file (RFC 1035 section 5.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from router.dns.records import split_text
from router.dns.verification import RecordReport

TTL_SECONDS = 3600
_PLAIN_IN_NAME = re.compile(rb"[A-Za-z0-9._-]")


def format_zone_file(records: Iterable[RecordReport]) -> str:
    """Returns a line for each expected record. Names are fully qualified, so that no origin is appended to them."""
    return "".join(
        f"{_format_name(record.name)} {TTL_SECONDS} IN {record.type} {_format_value(record, value)}\n"
        for record in records
        for value in record.expected
    )


def _format_value(record: RecordReport, value: str) -> str:
    if record.type == "TXT":
        return format_text(value)
    preference, _, host = value.partition(" ")
    return f"{preference} {_format_name(host)}"


def format_text(text: str) -> str:
    """Returns a TXT value as quoted strings of at most 255 bytes each."""
    return " ".join(f'"{"".join(_escape_in_string(byte) for byte in string)}"' for string in split_text(text))


def _format_name(name: str) -> str:
    escaped = "".join(
        chr(byte) if _PLAIN_IN_NAME.match(bytes([byte])) else _decimal(byte) for byte in name.rstrip(".").encode()
    )
    return f"{escaped}."


def _escape_in_string(byte: int) -> str:
    if byte in b'"\\':
        return f"\\{chr(byte)}"
    return chr(byte) if 0x20 <= byte < 0x7F else _decimal(byte)


def _decimal(byte: int) -> str:
    return f"\\{byte:03d}"

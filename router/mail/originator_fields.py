"""Reads the fields to which an answer goes (RFC 5322 sections 3.6.2 and 3.6.3).

These are Reply-To, the original author of a message whose From was rewritten (RFC 9057), and the recipients.

Takes linear time and never raises. Nothing is verified: a sender can write anything into these fields.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.mail.contents import NamedMailbox
from router.mail.headers import HINT_FIELDS, ORIGINAL_AUTHOR, find_header_block, header_charset_hint, read_fields
from router.mail.mailboxes import normalize_address, read_mailboxes

MAX_REPLY_TO = 20  # mailboxes
MAX_DESTINATIONS = 200  # mailboxes

_FIELD_NAMES = frozenset({b"reply-to", b"content-type", *ORIGINAL_AUTHOR, *HINT_FIELDS})
_DESTINATION_NAMES = frozenset({b"to", b"cc", b"content-type", *HINT_FIELDS})


def read_originators(
    content: bytes, *, max_bytes: int = 262144
) -> tuple[tuple[NamedMailbox, ...], NamedMailbox | None]:
    """Returns the mailboxes of Reply-To, and the original author (None if unknown)."""
    block = find_header_block(content, max_bytes)
    fields = read_fields(block.data, _FIELD_NAMES)
    hint = header_charset_hint(content, block, fields)
    reply_to: dict[str, NamedMailbox] = {}
    for mailbox in _read_field_mailboxes(fields, b"reply-to", hint)[:MAX_REPLY_TO]:
        reply_to.setdefault(normalize_address(mailbox.address), mailbox)
    authors = (mailbox for name in ORIGINAL_AUTHOR for mailbox in _read_field_mailboxes(fields, name, hint))
    return tuple(reply_to.values()), next(authors, None)


def read_destinations(content: bytes, *, max_bytes: int = 262144) -> tuple[NamedMailbox, ...]:
    """Returns the mailboxes of To and Cc, up to `MAX_DESTINATIONS`."""
    block = find_header_block(content, max_bytes)
    fields = read_fields(block.data, _DESTINATION_NAMES)
    hint = header_charset_hint(content, block, fields)
    found = [mailbox for name in (b"to", b"cc") for mailbox in _read_field_mailboxes(fields, name, hint)]
    return tuple(found[:MAX_DESTINATIONS])


def drop_if_same(from_address: str, mailboxes: Sequence[NamedMailbox]) -> tuple[NamedMailbox, ...]:
    """Returns the mailboxes, or `()` if none differs from the address in From."""
    same = {normalize_address(from_address)}
    return tuple(mailboxes) if {normalize_address(mailbox.address) for mailbox in mailboxes} - same else ()


def _read_field_mailboxes(fields: dict[bytes, list[bytes]], name: bytes, hint: str) -> list[NamedMailbox]:
    found = (pair for value in fields.get(name, ()) for pair in read_mailboxes(value, hint))
    return [NamedMailbox(address, display_name) for display_name, address in found if "@" in address]

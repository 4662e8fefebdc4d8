"""Reads the addresses in From (RFC 5322 section 3.6.2), of which a message must have exactly one for DMARC. Pure."""

from __future__ import annotations

from router.mail.headers import find_header_block, read_fields
from router.mail.mailboxes import normalize_address, read_mailboxes

_FROM = frozenset({b"from"})


def read_from_domains(content: bytes, max_bytes: int) -> tuple[str, ...]:
    """Returns the domains of all addresses in all From fields, in A-labels, without duplicates.

    Args:
        content: The message, or at least its first `max_bytes` bytes.
    """
    fields = read_fields(find_header_block(content, max_bytes).data, _FROM)
    addresses = [address for value in fields.get(b"from", ()) for _, address in read_mailboxes(value)]
    return tuple(
        dict.fromkeys(normalize_address(address).rpartition("@")[2] for address in addresses if "@" in address)
    )

"""Reads the addresses in From (RFC 5322 section 3.6.2), of which a message must have exactly one for DMARC. Pure."""

from __future__ import annotations

from router.mail.headers import find_header_block, read_fields
from router.mail.mailboxes import domains_of, read_mailboxes

_FROM = frozenset({b"from"})


def read_from_domains(content: bytes, max_bytes: int) -> tuple[str, ...]:
    """Returns the domains of all addresses in all From fields, as `HeaderFacts.from_domains`.

    Args:
        content: The message, or at least its first `max_bytes` bytes.
    """
    fields = read_fields(find_header_block(content, max_bytes).data, _FROM)
    return domains_of([mailbox for value in fields.get(b"from", ()) for mailbox in read_mailboxes(value)])

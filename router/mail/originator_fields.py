"""Whom a reply goes to, and who wrote a mail whose From was rewritten (RFC 5322 section 3.6.2, RFC 9057).

Reads the header alone, in linear time, and never raises. Nothing here is verified: a field says what its sender wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

from router.mail.contents import Mailbox
from router.mail.headers import HINT_FIELDS, ORIGINAL_AUTHOR, header_block, header_hint, read_fields
from router.mail.mailboxes import comparable, read_mailboxes

MAX_REPLY_TO = 20  # mailboxes: a person's mail has one or two

_WANTED = frozenset({b"reply-to", b"content-type", *ORIGINAL_AUTHOR, *HINT_FIELDS})


def read_originators(content: bytes, *, max_bytes: int = 262144) -> tuple[tuple[Mailbox, ...], Mailbox | None]:
    """The mailboxes of Reply-To without repeats, at most `MAX_REPLY_TO`, and the original author, None if not named."""
    block = header_block(content, max_bytes)
    fields = read_fields(block.octets, _WANTED)
    hint = header_hint(content, block, fields)
    reply_to: dict[str, Mailbox] = {}
    for mailbox in _mailboxes(fields, b"reply-to", hint)[:MAX_REPLY_TO]:
        reply_to.setdefault(comparable(mailbox.address), mailbox)
    authors = (mailbox for name in ORIGINAL_AUTHOR for mailbox in _mailboxes(fields, name, hint))
    return tuple(reply_to.values()), next(authors, None)


def other_than(from_address: str, mailboxes: Sequence[Mailbox]) -> tuple[Mailbox, ...]:
    """The mailboxes, or none of them where they are just the address in From."""
    same = {comparable(from_address)}
    return tuple(mailboxes) if {comparable(mailbox.address) for mailbox in mailboxes} - same else ()


def _mailboxes(fields: dict[bytes, list[bytes]], name: bytes, hint: str) -> list[Mailbox]:
    found = (pair for value in fields.get(name, ()) for pair in read_mailboxes(value, hint))
    return [Mailbox(address, shown) for shown, address in found if "@" in address]

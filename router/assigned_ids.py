"""Message-IDs that a smarthost assigns to our mail, by which answers find their ticket. Pure.

Amazon SES replaces the Message-ID of what it sends by `<id@region.amazonses.com>`, and names only the id in its answer.
The region is left out, because the answer does not name it; the ids are unique without it.
"""

from __future__ import annotations

import re
from collections.abc import Collection

MAX_IDS = 4  # of one answer
_MAX_TEXT = 4000  # characters of an answer
_MAX_ID_LENGTH = 250  # characters; those of known servers have less than 100
_SES_DOMAIN = "amazonses.com"
_SES_HOST = re.compile(r"email-smtp(?:-fips)?\.[a-z0-9-]+\.amazon(?:aws|ses)\.com(?:\.cn)?", re.IGNORECASE)
_SES_ID = re.compile(r"(?<![\w.@-])[0-9a-f]{16}(?:-[0-9a-f]{4,12}){5}-[0-9a-f]{6}(?![\w@-])", re.IGNORECASE)
_ANY_SES_ID = re.compile(r"(?i:ok|accepted)\s+([\w.-]{16,100})\s*")
_BRACKETED = re.compile(r"<([^<>\s@]{1,200}@[^<>\s@]{1,200})>")


def find_assigned_ids(text: str, *, host: str, addresses: Collection[str] = ()) -> tuple[str, ...]:
    """Returns the Message-IDs in the text of the answer that accepts a message, without angle brackets.

    Args:
        host: The host name of the smarthost.
        addresses: Addresses of the envelope, which are not Message-IDs.
    """
    text = text[:_MAX_TEXT]
    known = {address.lower() for address in addresses}
    found = [identifier for identifier in _BRACKETED.findall(text) if identifier.lower() not in known]
    ses_ids = _SES_ID.findall(text)
    if not ses_ids and _SES_HOST.fullmatch(host) and (named := _ANY_SES_ID.fullmatch(text)):
        ses_ids = [named[1]]
    found += [f"{identifier}@{_SES_DOMAIN}" for identifier in ses_ids]
    ids = (normalize_assigned_id(identifier) for identifier in found if len(identifier) <= _MAX_ID_LENGTH)
    return tuple(dict.fromkeys(ids))[:MAX_IDS]


def normalize_assigned_id(message_id: str) -> str:
    """Returns a Message-ID in the form in which it is stored and compared: without the region of Amazon SES."""
    local_part, _, domain = message_id.rpartition("@")
    return f"{local_part}@{_SES_DOMAIN}" if domain.lower().endswith(f".{_SES_DOMAIN}") else message_id

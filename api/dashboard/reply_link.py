"""The `mailto:` of a ticket (RFC 6068): an answer from a person's own mail program, until the router sends them itself.

It never names the ticket's own address: what is sent there without the conversation's ids would open another ticket.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote

MAX_SUBJECT = 500  # bytes: mail programs take addresses of some 2,000 characters
# What mail programs put before the subject of an answer, with a count or not.
_ANSWER = re.compile(r"\s*(?:re|aw|antw|sv|vs|odp|回复|答复|回覆)\s?(?:[\[(]\d{1,3}[\])])?\s?[:\uff1a]", re.IGNORECASE)


def mailto(addresses: Sequence[str], subject: str) -> str:
    """To the addresses, about the subject with one `Re:` before it; `""` without an address."""
    if not addresses:
        return ""
    about = subject if _ANSWER.match(subject) else f"Re: {subject}".strip()
    about = about.encode()[:MAX_SUBJECT].decode(errors="ignore")
    return f"mailto:{','.join(map(_address, addresses))}?subject={quote(about, safe='')}"


def _address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{quote(local, safe='')}@{quote(domain, safe='')}"

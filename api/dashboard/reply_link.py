"""The `mailto:` of a ticket (RFC 6068): an answer from a person's own mail program, until the router sends them itself.

It never names the ticket's own address: what is sent there without the conversation's ids would open another ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from router.mail.quotes.subjects import classify_subject

MAX_LINK_LENGTH = 2000  # characters that mail programs take
MAX_SUBJECT_BYTES = 500  # bytes, of three characters each in the link
MIN_SUBJECT_BYTES = 60  # beside very many addresses: none of them is left out


def build_mailto(addresses: Sequence[str], subject: str) -> str:
    """To the addresses, about the subject, with `Re:` unless it has a reply's mark; `""` without an address."""
    if not addresses:
        return ""
    about = subject if classify_subject(subject, "") == "reply" else f"Re: {subject}".strip()
    link = f"mailto:{','.join(map(_encode_address, addresses))}?subject="
    size = max(MIN_SUBJECT_BYTES, min(MAX_SUBJECT_BYTES, (MAX_LINK_LENGTH - len(link)) // 3))
    return link + quote(about.encode()[:size].decode(errors="ignore"), safe="")


def _encode_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{quote(local, safe='')}@{quote(domain, safe='')}"

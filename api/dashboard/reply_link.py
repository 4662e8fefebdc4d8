"""The `mailto:` link of a ticket (RFC 6068), which opens a reply in the user's mail program.

The link never contains the ticket's own address, because mail to that address would open another ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from router.mail.quotes.subjects import classify_subject

MAX_LINK_LENGTH = 2000  # characters; only many or long addresses exceed it
MAX_SUBJECT_BYTES = 500  # each byte takes up to three characters in the link
MIN_SUBJECT_BYTES = 60


def build_mailto(addresses: Sequence[str], subject: str) -> str:
    """Returns a link to `addresses`, or "" if there are none."""
    if not addresses:
        return ""
    reply_subject = subject if classify_subject(subject, "") == "reply" else f"Re: {subject}".strip()
    link = f"mailto:{','.join(map(_encode_address, addresses))}?subject="
    size = max(MIN_SUBJECT_BYTES, min(MAX_SUBJECT_BYTES, (MAX_LINK_LENGTH - len(link)) // 3))
    return link + quote(reply_subject.encode()[:size].decode(errors="ignore"), safe="")


def _encode_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{quote(local, safe='')}@{quote(domain, safe='')}"

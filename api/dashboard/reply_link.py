"""The `mailto:` link of a ticket (RFC 6068), which opens a reply in the user's mail program.

Its Cc is the address of the ticket with its token, by which the reply joins the ticket. It never contains the ticket's
own address, because mail to that address would open another ticket.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from router.mail.quotes.subjects import classify_subject

MAX_LINK_LENGTH = 2000  # characters; only many or long addresses exceed it
MAX_SUBJECT_BYTES = 500  # each byte takes up to three characters in the link
MIN_SUBJECT_BYTES = 60


def build_mailto(addresses: Sequence[str], subject: str, cc: str = "") -> str:
    """Returns a link to `addresses`, or "" if there are none. `subject` is that of the ticket or of the reply."""
    if not addresses:
        return ""
    reply_subject = subject if classify_subject(subject, "") == "reply" else f"Re: {subject}".strip()
    copies = f"cc={_encode_address(cc)}&" if cc else ""
    link = f"mailto:{','.join(map(_encode_address, addresses))}?{copies}subject="
    size = max(MIN_SUBJECT_BYTES, min(MAX_SUBJECT_BYTES, (MAX_LINK_LENGTH - len(link)) // 3))
    return link + quote(reply_subject.encode()[:size].decode(errors="ignore"), safe="")


def _encode_address(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{quote(local, safe='')}@{quote(domain, safe='')}"
